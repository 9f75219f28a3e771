/**
 * Reads a file that somebody else writes, up to a size: a path that was swapped for something huge, endless or
 * silent (a disk image, a device, a pipe) costs no more memory or time than the right one. It judges no content.
 */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

/** The reason is an errno name, or `too large`; it never holds content. */
export class SmallFileError extends Error {
  override readonly name = 'SmallFileError';
  readonly tooLarge: boolean;

  constructor(reason: string, tooLarge: boolean, cause?: unknown) {
    super(reason, { cause });
    this.tooLarge = tooLarge;
  }
}

/** @throws {SmallFileError} when it cannot be read or has more than `mostBytes` */
export async function readSmallFile(path: string, mostBytes: number): Promise<string> {
  try {
    // Without O_NONBLOCK opening a pipe would wait for a writer, and with it one of the few threads of the pool.
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const content = Buffer.alloc(mostBytes + 1);
    let size = 0;
    for (let read = -1; read !== 0 && size < content.length; size += read) {
      ({ bytesRead: read } = await file.read(content, size, content.length - size));
    }
    if (size > mostBytes) throw new SmallFileError('too large', true);
    return content.toString('utf8', 0, size);
  } catch (error) {
    if (error instanceof SmallFileError) throw error;
    throw new SmallFileError((error as NodeJS.ErrnoException).code ?? 'unreadable', false, error);
  }
}
