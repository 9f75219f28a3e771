/** Who receives while nobody does: a channel delivers nothing before it has a receiver, and its end may go unheard. */
import type { ChannelReceiver } from './channel.ts';

export const NOBODY: ChannelReceiver = { onBytes() {}, onEnd() {}, onDrain() {}, onClose() {} };
