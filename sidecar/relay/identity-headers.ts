/**
 * The headers by which a sidecar tells its app who is calling, in Istio's form. Whatever a caller sent under these
 * names is removed on every path, in any letter case, number and spelling; they are set only from a peer that
 * proved its SPIFFE ID in the handshake. Pure.
 */
import { FieldNames } from '../../shared/http1/field-names.ts';

export const PEER_HEADER = 'X-Forwarded-Client-Cert';
export const REFUSAL_HEADER = 'X-Sallyport-Refusal';

const PEER_NAME = PEER_HEADER.toLowerCase();
const OWN_PREFIXES = ['x-sallyport-', 'x-spiffe-'] as const;

/**
 * Names that only sidecars may write, as a reader of heads takes them (`*`: every name that begins so). CGI and its
 * heirs (WSGI, Rack, PHP) make `-` and `_` the same, and so does that reader.
 */
export const IDENTITY_NAMES = new FieldNames([PEER_NAME, ...OWN_PREFIXES.map((prefix) => `${prefix}*`)]);

export interface ProvenPeer {
  /** The own SPIFFE ID that the peer called. */
  readonly own: string;
  readonly peer: string;
  /** SHA-256 of the peer's leaf, DER, hex. */
  readonly certificateHash: string;
}

/**
 * One element of Istio's X-Forwarded-Client-Cert. A SPIFFE ID holds nothing that would need quoting (SPIFFE-ID §2),
 * and the subject of an SVID is empty.
 */
export function peerHeaderValue({ own, peer, certificateHash }: ProvenPeer): string {
  return `By=${own};Hash=${certificateHash};Subject="";URI=${peer}`;
}
