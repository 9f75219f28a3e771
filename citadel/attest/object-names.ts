/**
 * The grammar of names that Kubernetes gives to namespaces, service accounts, pods and nodes. A name that does
 * not fit was not given by Kubernetes, whatever signed it. Whether a name fits a SPIFFE ID is decided elsewhere.
 */

/** RFC 1123 subdomain, Kubernetes' rule for object names: no slash, no colon, no upper case, no empty part. */
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const UID = /^[A-Za-z0-9][-A-Za-z0-9]{0,127}$/;

export function isObjectName(text: string): boolean {
  return text.length <= 253 && SUBDOMAIN.test(text);
}

/** Namespaces are RFC 1123 labels. */
export function isNamespaceName(text: string): boolean {
  return text.length <= 63 && LABEL.test(text);
}

/** Kubernetes makes UUIDs; mirrored static pods carry a hash of 32 hexadecimal digits. */
export function isObjectUid(text: string): boolean {
  return UID.test(text);
}
