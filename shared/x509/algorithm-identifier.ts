/** AlgorithmIdentifier (RFC 5280 §4.1.1.2): which algorithm, and its parameters unread. It judges neither. */
import { type DerReader, TAG } from './der-reader.ts';
import { readOid } from './object-identifier.ts';

export interface AlgorithmIdentifier {
  readonly oid: string;
  /** The parameters as one DER element; undefined when absent. */
  readonly parameters: Buffer | undefined;
}

/** @throws {DerError} */
export function readAlgorithm(reader: DerReader): AlgorithmIdentifier {
  const algorithm = reader.enter(TAG.sequence);
  const oid = readOid(algorithm);
  const parameters = algorithm.atEnd ? undefined : algorithm.element();
  algorithm.finish();
  return { oid, parameters };
}

/** Same algorithm with the same parameters, octet for octet. */
export function sameAlgorithm(a: AlgorithmIdentifier, b: AlgorithmIdentifier): boolean {
  if (a.oid !== b.oid) return false;
  if (a.parameters === undefined || b.parameters === undefined) return a.parameters === b.parameters;
  return a.parameters.equals(b.parameters);
}
