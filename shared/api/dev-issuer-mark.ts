/**
 * How a development issuer marks both documents that it serves, discovery and key set. It signs a token for
 * whoever can write its configuration: a citadel that was not told to expect one must turn it away.
 */
export const UNSAFE_DEV_ISSUER_MARK = 'sallyport_unsafe_dev_issuer';
