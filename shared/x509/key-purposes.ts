/** Extended key usage, as SVIDs have it (SPIFFE X509-SVID §4.4): none at all, or both sides of a TLS connection. */
import { OID } from './oids.ts';

/** anyExtendedKeyUsage does not count: OpenSSL, which every handshake goes through, does not count it either. */
export function coversBothSides(purposes: readonly string[] | undefined): boolean {
  return purposes === undefined || (purposes.includes(OID.serverAuth) && purposes.includes(OID.clientAuth));
}
