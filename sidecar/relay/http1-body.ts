/** Where a body ends in the bytes that come. It looks at nothing of a body but the sizes of its chunks, and keeps none of it. */
import { type ChunkLimits, ChunkScanner, type ChunkScannerOptions } from '../../shared/http1/chunk-scanner.ts';
import type { BodyKind, Framing } from '../../shared/http1/head.ts';
import { IDENTITY_NAMES } from './identity-headers.ts';

/** A body needs neither; both are bounded because a chunk of one byte could carry much of them. */
const CHUNK_LIMITS: ChunkLimits = { extensionBytes: 16 * 1024, trailerBytes: 16 * 1024, trailerFields: 100 };

export class Http1Body {
  isDone = true;
  /** Of the body that came by, without the framing of chunks. */
  bytes = 0;
  #kind: BodyKind = 'none';
  #left = 0;
  #chunks: ChunkScanner | undefined;
  #onData: ChunkScannerOptions['onData'];

  /** @param onData is told where data lies in chunks, for a reader that cannot take chunks */
  begin({ kind, length }: Framing, onData?: ChunkScannerOptions['onData']): void {
    this.#kind = kind;
    this.#left = length;
    this.bytes = 0;
    this.isDone = kind === 'none';
    this.#onData = onData;
    this.#chunks = kind === 'chunked' ? new ChunkScanner(CHUNK_LIMITS, this.#chunkOptions) : undefined;
  }

  /** Trailer field lines, when there were any and it is done. */
  get trailers(): string {
    return this.#chunks?.trailers ?? '';
  }

  /** Of a body that ends with its connection. */
  end(): void {
    this.isDone = true;
  }

  /**
   * @returns the index behind what of `bytes` from `from` on belongs to the body
   * @throws {Http1Error} when chunks or trailers are none
   */
  take(bytes: Buffer, from: number): number {
    if (this.isDone) return from;
    if (this.#chunks !== undefined) {
      const taken = this.#chunks.scan(bytes, from);
      this.isDone = this.#chunks.isDone;
      return from + taken;
    }
    let taken = bytes.length - from;
    if (this.#kind === 'length') {
      if (this.#left <= taken) {
        taken = this.#left;
        this.isDone = true;
      }
      this.#left -= taken;
    }
    this.bytes += taken;
    return from + taken;
  }

  readonly #chunkOptions: ChunkScannerOptions = {
    forbidden: IDENTITY_NAMES,
    onData: (bytes, from, to) => {
      this.bytes += to - from;
      this.#onData?.(bytes, from, to);
    },
  };
}
