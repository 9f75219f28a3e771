/**
 * SPIFFE IDs: the names that certificates carry. Parsing is strict (SPIFFE-ID §2): what is not exactly in
 * the grammar is no SPIFFE ID, so two spellings of one name never exist. It never normalises, decodes
 * or looks anything up, and its errors never repeat the text that was refused.
 */

/** A parsed ID. `path` is '' when the ID names the trust domain itself, else it starts with a slash. */
export interface SpiffeId {
  readonly uri: string;
  readonly trustDomain: string;
  readonly path: string;
}

export class SpiffeIdError extends Error {
  override readonly name = 'SpiffeIdError';
}

// SPIFFE-ID §2.3: 2048 bytes for the URI, 255 for the trust domain. All legal characters are one byte each.
const LONGEST_URI = 2048;
const LONGEST_TRUST_DOMAIN = 255;

const SCHEME = 'spiffe://';
/** SPIFFE-ID §2.1: no user, no port, no upper case, no percent-encoding. */
const TRUST_DOMAIN = /^[a-z0-9._-]+$/;
/** SPIFFE-ID §2.2: no percent-encoding, so `~ + : @ % =` are out as well. */
const SEGMENT = /^[a-zA-Z0-9._-]+$/;

/** @throws {SpiffeIdError} when the text is not in the grammar of SPIFFE-ID §2 */
export function parseSpiffeId(text: string): SpiffeId {
  if (text.length > LONGEST_URI) throw new SpiffeIdError(`longer than ${LONGEST_URI} bytes`);
  if (!text.startsWith(SCHEME)) throw new SpiffeIdError('does not start with spiffe://');
  const slash = text.indexOf('/', SCHEME.length);
  const trustDomain = slash < 0 ? text.slice(SCHEME.length) : text.slice(SCHEME.length, slash);
  if (!isTrustDomainName(trustDomain)) throw new SpiffeIdError('the trust domain is not a valid name');
  const path = slash < 0 ? '' : text.slice(slash);
  if (path !== '') checkPath(path);
  return { uri: text, trustDomain, path };
}

/**
 * The ID of a Kubernetes workload: `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`.
 * @throws {SpiffeIdError} when one of the parts cannot stand in an ID
 */
export function workloadId(trustDomain: string, namespace: string, serviceAccount: string): SpiffeId {
  // Checked one by one: a slash inside a part would otherwise shift the meaning of the others.
  if (!isTrustDomainName(trustDomain)) throw new SpiffeIdError('the trust domain is not a valid name');
  if (!isPathSegment(namespace)) throw new SpiffeIdError('the namespace is not a valid path segment');
  if (!isPathSegment(serviceAccount)) throw new SpiffeIdError('the service account is not a valid path segment');
  return parseSpiffeId(`${SCHEME}${trustDomain}/ns/${namespace}/sa/${serviceAccount}`);
}

/** SPIFFE-ID §2.1. A name that looks like an IPv4 address is as good as any other. */
export function isTrustDomainName(text: string): boolean {
  return text.length <= LONGEST_TRUST_DOMAIN && TRUST_DOMAIN.test(text);
}

/** SPIFFE-ID §2.2: no empty and no relative segments, hence no trailing slash. */
function checkPath(path: string): void {
  for (const segment of path.slice(1).split('/')) {
    if (!isPathSegment(segment)) throw new SpiffeIdError('the path has an empty, relative or illegal segment');
  }
}

/** SPIFFE-ID §2.2: what may stand between two slashes. */
export function isPathSegment(text: string): boolean {
  return text !== '.' && text !== '..' && SEGMENT.test(text);
}
