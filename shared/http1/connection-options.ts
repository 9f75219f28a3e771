/** What a sender asks of its connection: the lists in Connection, TE and Upgrade (RFC 9110 §5.6.1, §7.6.1). Rare but for one word. */
import { malformed } from './http1-error.ts';

const TOKEN_TEXT = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
/** RFC 9110 §7.8. */
const PROTOCOL = /^[!#$%&'*+\-.^_`|~0-9a-z]+(?:\/[!#$%&'*+\-.^_`|~0-9a-z]+)?$/;

/** Fields that a sender cannot have removed by listing them: without them a message means something else. */
const NOT_FOR_LISTING: ReadonlySet<string> = new Set(['host', 'content-length', 'expect', 'trailer']);

export interface ConnectionOptions {
  readonly close: boolean;
  readonly keepAlive: boolean;
  readonly upgrade: boolean;
  /** Lower case names of the fields that belong to this connection, too. */
  readonly fields: readonly string[];
}

/** @throws {Http1Error} when an option is no token */
export function readConnection(value: string): ConnectionOptions {
  let [close, keepAlive, upgrade] = [false, false, false];
  const fields: string[] = [];
  for (const option of listed(value)) {
    if (!TOKEN_TEXT.test(option)) throw malformed('Connection');
    if (option === 'close') close = true;
    else if (option === 'keep-alive') keepAlive = true;
    else if (option === 'upgrade') upgrade = true;
    else if (!NOT_FOR_LISTING.has(option)) fields.push(option);
  }
  return { close, keepAlive, upgrade, fields };
}

/** @returns lower case, joined by `,` */
export function readUpgrade(value: string): string {
  const protocols = listed(value);
  if (!protocols.every((protocol) => PROTOCOL.test(protocol))) throw malformed('Upgrade');
  return protocols.join(',');
}

/** RFC 9110 §10.1.4. */
export function wantsTrailers(te: string): boolean {
  return listed(te).includes('trailers');
}

/** RFC 9110 §5.6.1: empty elements are ignored. */
function listed(value: string): string[] {
  return value
    .toLowerCase()
    .split(',')
    .map((element) => element.replace(/^[ \t]+|[ \t]+$/g, ''))
    .filter((element) => element !== '');
}
