/**
 * The cable of the network lab, as a process: two TUN devices, and every IP packet that enters one leaves the other,
 * late or not at all, as the conditions say. Unlike a forwarder of TCP it really loses packets, so the kernel's own
 * retransmission is at work. It takes conditions and gives its counts over the channel to its parent, and ends with it.
 *
 * Arguments: the names of the two devices, and the seed of the losses.
 */

import { dlopen } from 'node:ffi';
import { openSync, read, writeSync } from 'node:fs';
import { systemClock } from '../../shared/clock/clock.ts';
import { type LinkConditions, LossyQueue } from './lossy-queue.ts';

export interface LinkCounts {
  readonly carried: number;
  readonly lost: number;
}

// linux/if_tun.h, the same on every architecture that Node runs on.
const TUNSETIFF = 0x400454can;
const IFF_TUN = 0x0001;
const IFF_NO_PI = 0x1000;
/** struct ifreq: the name in 16 bytes, the flags behind it. */
const IFREQ_BYTES = 40;
const NAME_BYTES = 16;
/** More than the largest packet of a device with the usual MTU of 1500. */
const PACKET_BYTES = 2048;

const { functions } = dlopen(null, {
  ioctl: { arguments: ['int32', 'uint64', 'buffer'], return: 'int32' },
});

/** A new device, there as long as its file is open. @returns the file, one packet per read and write */
function openDevice(name: string): number {
  const file = openSync('/dev/net/tun', 'r+');
  const request = Buffer.alloc(IFREQ_BYTES);
  request.write(name, 0, NAME_BYTES - 1, 'latin1');
  request.writeUInt16LE(IFF_TUN | IFF_NO_PI, NAME_BYTES);
  if (functions.ioctl(file, TUNSETIFF, request) !== 0) throw new Error(`no device ${name}: is this root?`);
  return file;
}

/** Reads wait in a thread of their own; there is one read at a time, so packets stay in order. */
function carry(from: number, queue: LossyQueue): void {
  const packet = Buffer.alloc(PACKET_BYTES);
  read(from, packet, 0, PACKET_BYTES, null, (error, length) => {
    if (!error) queue.push(Buffer.from(packet.subarray(0, length)));
    // A device that is down gives EIO or EBADFD at once: look again by and by instead of at full speed.
    if (error) systemClock.after(20, () => carry(from, queue));
    else carry(from, queue);
  });
}

function put(file: number, packet: Buffer): void {
  try {
    writeSync(file, packet);
  } catch (error) {
    // Written while its device is down: lost, as on a cable that was pulled.
    if (!['EIO', 'EBADFD', 'ENETDOWN'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

const [nearName = '', farName = '', seed = '1'] = process.argv.slice(2);
const [near, far] = [openDevice(nearName), openDevice(farName)];
const toFar = new LossyQueue(systemClock, Number(seed), (packet) => put(far, packet));
const toNear = new LossyQueue(systemClock, Number(seed) + 1, (packet) => put(near, packet));
carry(near, toFar);
carry(far, toNear);

process.on('message', (conditions: LinkConditions) => {
  toFar.conditions = conditions;
  toNear.conditions = conditions;
  const counts: LinkCounts = { carried: toFar.carried + toNear.carried, lost: toFar.lost + toNear.lost };
  process.send!(counts);
});
process.on('disconnect', () => process.exit());
process.send!({ carried: 0, lost: 0 } satisfies LinkCounts);
