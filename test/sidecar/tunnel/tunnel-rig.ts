/**
 * Both ends of a tunnel session for tests: a raw peer that writes any frames and reads all of ours, pairs of sessions
 * in memory or over TCP, and a receiver that writes down what it is told.
 */
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { type Duplex, duplexPair } from 'node:stream';
import { type Clock, systemClock } from '../../../shared/clock/clock.ts';
import type { Refusal } from '../../../shared/errors/refusal.ts';
import type { Channel, ChannelReceiver } from '../../../sidecar/channel/channel.ts';
import { FLAG, FRAME, HEADER_BYTES, PREFACE, SETTING } from '../../../sidecar/tunnel/frame-format.ts';
import { HpackDecoder } from '../../../sidecar/tunnel/hpack-decoder.ts';
import { HpackEncoder } from '../../../sidecar/tunnel/hpack-encoder.ts';
import type { Field } from '../../../sidecar/tunnel/hpack-tables.ts';
import { Session, type SessionEvents } from '../../../sidecar/tunnel/session.ts';
import type { Role } from '../../../sidecar/tunnel/session-core.ts';
import type { ConnectRequest } from '../../../sidecar/tunnel/session-server.ts';
import { TUNNEL_LIMITS, type TunnelLimits } from '../../../sidecar/tunnel/tunnel-limits.ts';
import type { TunnelStream } from '../../../sidecar/tunnel/tunnel-stream.ts';
import { until } from '../../support/until.ts';

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

export function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUIntBE(payload.length, 0, 3);
  header.writeUInt8(type, 3);
  header.writeUInt8(flags, 4);
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}

export function u32(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [at, value] of values.entries()) bytes.writeUInt32BE(value >>> 0, at * 4);
  return bytes;
}

export function settings(entries: Partial<Record<keyof typeof SETTING, number>> = {}): Buffer {
  const parts = Object.entries(entries).map(([name, value]) => {
    const entry = Buffer.alloc(6);
    entry.writeUInt16BE(SETTING[name as keyof typeof SETTING]);
    entry.writeUInt32BE(value, 2);
    return entry;
  });
  return frame(FRAME.SETTINGS, 0, 0, Buffer.concat(parts));
}

export const SETTINGS_ACK = frame(FRAME.SETTINGS, FLAG.ACK, 0);
export const CONNECT: readonly Field[] = [
  [':method', 'CONNECT'],
  [':authority', 'app:80'],
];

export function block(fields: readonly Field[]): Buffer {
  return new HpackEncoder().encode(fields);
}

export function headers(stream: number, fields: readonly Field[] = CONNECT, flags: number = FLAG.END_HEADERS): Buffer {
  return frame(FRAME.HEADERS, flags, stream, block(fields));
}

export function data(stream: number, bytes: Buffer | string, flags = 0): Buffer {
  return frame(FRAME.DATA, flags, stream, Buffer.from(bytes as string));
}

/** Reads frames out of a stream of bytes, tolerantly: it must also see what is wrong. */
export class FrameLog {
  readonly frames: Frame[] = [];
  #rest = Buffer.alloc(0);

  push(bytes: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    while (this.#rest.length >= HEADER_BYTES) {
      const end = HEADER_BYTES + this.#rest.readUIntBE(0, 3);
      if (this.#rest.length < end) return;
      this.frames.push({
        type: this.#rest[3]!,
        flags: this.#rest[4]!,
        stream: this.#rest.readUInt32BE(5),
        payload: this.#rest.subarray(HEADER_BYTES, end),
      });
      this.#rest = this.#rest.subarray(end);
    }
  }
}

/** Speaks frames by hand with a session of ours. */
export class RawPeer {
  readonly socket: Duplex;
  readonly decoder = new HpackDecoder(65_536);
  hasEnded = false;
  readonly #log = new FrameLog();
  readonly #ours: Role;
  #skipsPreface: number;

  constructor(socket: Duplex, ours: Role) {
    this.socket = socket;
    this.#ours = ours;
    this.#skipsPreface = ours === 'client' ? PREFACE.length : 0;
    socket.on('data', (bytes: Buffer) => {
      const skipped = Math.min(this.#skipsPreface, bytes.length);
      this.#skipsPreface -= skipped;
      this.#log.push(bytes.subarray(skipped));
    });
    socket.on('end', () => {
      this.hasEnded = true;
    });
    socket.on('error', () => undefined); // what we sent was refused: the frames tell why
  }

  get frames(): readonly Frame[] {
    return this.#log.frames;
  }

  of(type: number, stream?: number): Frame[] {
    return this.frames.filter((one) => one.type === type && (stream === undefined || one.stream === stream));
  }

  send(...parts: Buffer[]): void {
    this.socket.write(Buffer.concat(parts));
  }

  /** The beginning of the other role, our SETTINGS acknowledged. */
  greet(entries: Partial<Record<keyof typeof SETTING, number>> = {}): void {
    this.send(this.#ours === 'server' ? PREFACE : Buffer.alloc(0), settings(entries), SETTINGS_ACK);
  }

  /** The frame that ends the session. */
  goAway(): Promise<{ lastStream: number; code: number; words: string }> {
    return until('GOAWAY', () => {
      const last = this.of(FRAME.GOAWAY).at(-1);
      if (last === undefined) return undefined;
      const { payload } = last;
      return {
        lastStream: payload.readUInt32BE(0),
        code: payload.readUInt32BE(4),
        words: payload.toString('latin1', 8),
      };
    });
  }

  resetOf(stream: number): Promise<number> {
    return until(`RST_STREAM of ${stream}`, () => this.of(FRAME.RST_STREAM, stream)[0]?.payload.readUInt32BE(0));
  }

  /** Status of the answer on a stream. */
  async statusOf(stream: number): Promise<string> {
    const { payload } = await until(`HEADERS of ${stream}`, () => this.of(FRAME.HEADERS, stream)[0]);
    return new HpackDecoder(65_536).decode(payload).find(([name]) => name === ':status')![1];
  }

  bytesOf(stream: number): Buffer {
    return Buffer.concat(this.of(FRAME.DATA, stream).map(({ payload }) => payload));
  }
}

/** Writes down everything a channel tells. */
export class Notes implements ChannelReceiver {
  readonly parts: Buffer[] = [];
  length = 0;
  ends = 0;
  drains = 0;
  closes = 0;
  failure: Refusal | undefined;
  /** What happened, in order. */
  readonly order: string[] = [];

  onBytes(bytes: Buffer): void {
    // They are lent.
    this.parts.push(Buffer.from(bytes));
    this.length += bytes.length;
    if (this.order.at(-1) !== 'bytes') this.order.push('bytes');
  }

  onEnd(): void {
    this.ends++;
    this.order.push('end');
  }

  onDrain(): void {
    this.drains++;
  }

  onClose(failure: Refusal | undefined): void {
    this.closes++;
    this.failure = failure;
    this.order.push('close');
  }

  get bytes(): Buffer {
    return Buffer.concat(this.parts);
  }

  get text(): string {
    return this.bytes.toString('latin1');
  }

  static on(channel: Channel): Notes {
    const notes = new Notes();
    channel.receiver = notes;
    return notes;
  }

  closed(): Promise<true> {
    return until('the channel is closed', () => this.closes > 0 || undefined);
  }
}

/** Sends everything back, and no faster than it is taken. */
export function echo(channel: Channel): void {
  channel.receiver = {
    onBytes: (bytes) => {
      if (!channel.write(bytes, channel.lends)) channel.pause();
    },
    onEnd: () => channel.end(),
    onDrain: () => channel.resume(),
    onClose: () => undefined,
  };
}

export interface SessionNotes extends SessionEvents {
  readonly closes: (Refusal | undefined)[];
  readonly requests: ConnectRequest[];
  rooms: number;
  drainings: number;
}

/** @param onConnect by default every request waits in `requests` */
export function sessionNotes(onConnect?: (request: ConnectRequest) => void): SessionNotes {
  const notes: SessionNotes = {
    closes: [],
    requests: [],
    rooms: 0,
    drainings: 0,
    onConnect: (request) => {
      notes.requests.push(request);
      onConnect?.(request);
    },
    onRoom: () => void notes.rooms++,
    onDraining: () => void notes.drainings++,
    onClose: (why) => void notes.closes.push(why),
  };
  return notes;
}

export interface RigOptions {
  readonly limits?: Partial<TunnelLimits>;
  readonly clock?: Clock;
  readonly onConnect?: (request: ConnectRequest) => void;
}

/** A session of ours with a raw peer at the other end of a pipe in memory. */
export function rawRig(role: Role, { limits = {}, clock = systemClock, onConnect }: RigOptions = {}) {
  const [socket, other] = duplexPair();
  const notes = sessionNotes(onConnect);
  const session = new Session({ socket, role, clock, limits: { ...TUNNEL_LIMITS, ...limits }, events: notes });
  return { session, notes, peer: new RawPeer(other, role) };
}

/** A server of ours whose first stream is open and accepted. */
export async function acceptedStream(options: RigOptions = {}) {
  const rig = rawRig('server', options);
  rig.peer.greet();
  rig.peer.send(headers(1));
  const request = await until('CONNECT', () => rig.notes.requests[0]);
  return { ...rig, request, stream: request.accept() };
}

/** A client of ours whose first stream is open; the peer is a server. */
export async function openedStream(
  options: RigOptions & { readonly peerSettings?: Partial<Record<keyof typeof SETTING, number>> } = {},
) {
  const rig = rawRig('client', options);
  rig.peer.greet(options.peerSettings);
  const opened = rig.session.open('app:80');
  await until('HEADERS', () => rig.peer.of(FRAME.HEADERS, 1)[0]);
  rig.peer.send(headers(1, [[':status', '200']]));
  return { ...rig, stream: await opened };
}

/** Two sessions of ours over TCP. */
export async function joinedSessions(
  server: RigOptions = {},
  client: RigOptions = {},
): Promise<{ client: Session; server: Session; clientNotes: SessionNotes; serverNotes: SessionNotes; end(): void }> {
  const listener = net.createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const socket = net.connect({ port: (listener.address() as AddressInfo).port, host: '127.0.0.1', noDelay: true });
  const [accepted] = (await once(listener, 'connection')) as [net.Socket];
  listener.close();
  const serverNotes = sessionNotes(server.onConnect ?? ((request) => echo(request.accept())));
  const clientNotes = sessionNotes();
  const made = (role: Role, one: Duplex, options: RigOptions, events: SessionEvents): Session =>
    new Session({
      socket: one,
      role,
      clock: options.clock ?? systemClock,
      limits: { ...TUNNEL_LIMITS, ...options.limits },
      events,
    });
  return {
    server: made('server', accepted, server, serverNotes),
    client: made('client', socket, client, clientNotes),
    clientNotes,
    serverNotes,
    end: () => {
      socket.destroy();
      accepted.destroy();
    },
  };
}

/** Sends `bytes` in pieces through an echo and resolves with what came back. */
export async function throughEcho(stream: TunnelStream, bytes: Buffer, pieceBytes: number): Promise<Buffer> {
  const notes = Notes.on(stream);
  let sent = 0;
  const go = (): void => {
    while (sent < bytes.length) {
      const piece = bytes.subarray(sent, sent + pieceBytes);
      sent += piece.length;
      if (!stream.write(piece, false)) return;
    }
    stream.end();
  };
  notes.onDrain = go;
  go();
  await notes.closed();
  if (notes.failure) throw notes.failure;
  return notes.bytes;
}
