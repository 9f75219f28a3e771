/**
 * A second opinion on a chain, by pkijs: its own ASN.1, path building and RFC 5280 validation, with nothing of ours in
 * it. Slow (milliseconds) and heavy to load, so it is asked at the start and at renewals only, and loaded then.
 */

/** undefined: valid. Else why not, in pkijs's words. */
export type Verdict = string | undefined;

/**
 * @param chain DER, leaf first
 * @param roots DER
 * @param now milliseconds since the Unix epoch
 */
export async function pkijsVerdict(chain: readonly Buffer[], roots: readonly Buffer[], now: number): Promise<Verdict> {
  const { Certificate, CertificateChainValidationEngine } = await import('pkijs');
  try {
    const read = (der: Buffer): InstanceType<typeof Certificate> => Certificate.fromBER(new Uint8Array(der));
    const engine = new CertificateChainValidationEngine({
      trustedCerts: roots.map(read),
      // pkijs takes the last one for the leaf.
      certs: chain.map(read).reverse(),
      checkDate: new Date(now),
    });
    const { result, resultMessage } = await engine.verify();
    return result ? undefined : resultMessage;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
