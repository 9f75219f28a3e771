/**
 * GeneralNames (RFC 5280 §4.2.1.6): URI names are read, all others only counted by their form, because an
 * SVID's identity is its URI name and nothing else. It does not judge what a name says.
 */
import { constructedTag, DerError, type DerReader, primitiveTag, TAG } from './der-reader.ts';

export interface AlternativeNames {
  readonly uris: readonly string[];
  /** Tags of the names that are no URI, one per name. */
  readonly otherForms: readonly number[];
}

/** Context tags of the choices of GeneralName. */
export const NAME_FORM = {
  otherName: constructedTag(0),
  email: primitiveTag(1),
  dns: primitiveTag(2),
  x400: constructedTag(3),
  directory: constructedTag(4),
  ediParty: constructedTag(5),
  uri: primitiveTag(6),
  ipAddress: primitiveTag(7),
  registeredId: primitiveTag(8),
} as const;

const FORMS: ReadonlySet<number> = new Set(Object.values(NAME_FORM));
/** A bound on the work that name constraints can make. */
const MOST_NAMES = 256;
// biome-ignore lint/suspicious/noControlCharactersInRegex: IA5String is exactly this range (X.680 §41).
const IA5 = /^[\x00-\x7f]*$/;

/** @throws {DerError} when empty (the size is 1..MAX) or malformed */
export function readAlternativeNames(reader: DerReader): AlternativeNames {
  const names = reader.enter(TAG.sequence);
  const uris: string[] = [];
  const otherForms: number[] = [];
  do {
    if (names.peek() === NAME_FORM.uri) uris.push(readUri(names));
    else otherForms.push(readOtherForm(names));
    if (uris.length + otherForms.length > MOST_NAMES) throw new DerError('too many names');
  } while (!names.atEnd);
  return { uris, otherForms };
}

export function readUri(reader: DerReader): string {
  const uri = reader.latin1(NAME_FORM.uri);
  if (!IA5.test(uri)) throw new DerError('URI name is not IA5String');
  return uri;
}

/** Reads over one name. @returns its form */
export function readOtherForm(reader: DerReader): number {
  const form = reader.peek();
  if (!FORMS.has(form)) throw new DerError('no form of GeneralName');
  reader.skip();
  return form;
}
