/**
 * The body of a request as JSON: one content type, one announced length, bounded bytes and depth, only known
 * fields. A length is required, so node:http itself ends the body where it was announced to end.
 */
import type { IncomingMessage } from 'node:http';
import { Refusal } from '../../shared/errors/refusal.ts';

const MOST_DEPTH = 8;
const CONTENT_TYPE = /^application\/json\s*(?:;\s*charset="?utf-8"?\s*)?$/i;

/** @throws {Refusal} request_malformed, request_media_type, request_length_required, request_too_large */
export async function readJsonBody(request: IncomingMessage, mostBytes: number): Promise<Record<string, unknown>> {
  const { headers } = request;
  if (!CONTENT_TYPE.test(headers['content-type'] ?? ''))
    throw new Refusal('request_media_type', 'content-type is not application/json');
  if (headers['content-encoding'] !== undefined)
    throw new Refusal('request_media_type', 'content-encoding is not accepted');
  const length = headers['content-length'];
  if (length === undefined) throw new Refusal('request_length_required');
  if (Number(length) > mostBytes)
    throw new Refusal('request_too_large', `${length} bytes announced, at most ${mostBytes}`);
  return parsed(await wholeBody(request));
}

/** @throws {Refusal} request_malformed when there is a field that is not in `known` */
export function refuseUnknownFields(body: Record<string, unknown>, known: readonly string[]): void {
  for (const field of Object.keys(body)) {
    if (!known.includes(field))
      throw new Refusal('request_malformed', `unknown field ${JSON.stringify(field.slice(0, 40))}`);
  }
}

function wholeBody(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.once('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)));
    request.once('error', (error) =>
      reject(new Refusal('caller_gone', { detail: `in the body: ${error.message}`, cause: error })),
    );
  });
}

function parsed(bytes: Buffer): Record<string, unknown> {
  let body: unknown;
  try {
    body = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    // The parser quotes what it read, which may be a token: its words are not kept.
    throw new Refusal('request_malformed', { detail: `${bytes.length} bytes that are not JSON`, cause });
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw new Refusal('request_malformed', 'not a JSON object');
  if (isDeeper(body, MOST_DEPTH)) throw new Refusal('request_malformed', `nested deeper than ${MOST_DEPTH}`);
  return body as Record<string, unknown>;
}

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((inner) => isDeeper(inner, levels - 1));
}
