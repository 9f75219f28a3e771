/**
 * Name constraints (RFC 5280 §4.2.1.10) on URI names: the host of the URI, which for a SPIFFE ID is the
 * trust domain. Constraints on other forms are not interpreted: where one applies to a name, the name is refused.
 * Where implementations disagree (an empty constraint), both readings must permit the name.
 */
import { constructedTag, DerError, type DerReader, TAG } from './der-reader.ts';
import { NAME_FORM, readOtherForm, readUri } from './general-names.ts';

export interface NameConstraints {
  readonly permitted: readonly string[];
  readonly excluded: readonly string[];
  /** Forms other than URI that are constrained somehow. */
  readonly otherForms: readonly number[];
}

/** The names that constraints are held against. */
export interface ConstrainedNames {
  readonly uriNames: readonly string[];
  readonly otherNameForms: readonly number[];
  readonly subjectEmpty: boolean;
}

const MOST_SUBTREES = 64;

/** @throws {DerError} when empty (§4.2.1.10) or malformed */
export function readNameConstraints(reader: DerReader): NameConstraints {
  const body = reader.enter(TAG.sequence);
  if (body.atEnd) throw new DerError('name constraints are empty');
  const otherForms: number[] = [];
  const permitted = readSubtrees(body, constructedTag(0), otherForms);
  const excluded = readSubtrees(body, constructedTag(1), otherForms);
  body.finish();
  return { permitted, excluded, otherForms };
}

/** Whether an authority with these constraints may vouch for these names. */
export function permits(constraints: NameConstraints, names: ConstrainedNames): boolean {
  const { permitted, excluded, otherForms } = constraints;
  if (otherForms.some((form) => names.otherNameForms.includes(form))) return false;
  // §4.2.1.10: constraints on directory names apply to the subject, and those on mail addresses to ones inside it.
  const subjectForms: readonly number[] = [NAME_FORM.directory, NAME_FORM.email];
  if (!names.subjectEmpty && otherForms.some((form) => subjectForms.includes(form))) return false;
  if (permitted.length === 0 && excluded.length === 0) return true;
  return names.uriNames.every((uri) => {
    const host = hostOf(uri);
    // §4.2.1.10: a URI without a host cannot be held against a constraint and must be refused.
    if (host === undefined) return false;
    if (excluded.some((constraint) => constraint === '' || matches(host, constraint))) return false;
    return permitted.length === 0 || permitted.some((constraint) => constraint !== '' && matches(host, constraint));
  });
}

function readSubtrees(body: DerReader, tag: number, otherForms: number[]): string[] {
  const uris: string[] = [];
  if (body.peek() !== tag) return uris;
  const subtrees = body.enter(tag);
  let count = 0;
  do {
    const subtree = subtrees.enter(TAG.sequence);
    if (subtree.peek() === NAME_FORM.uri) uris.push(readUri(subtree).toLowerCase());
    else otherForms.push(readOtherForm(subtree));
    // §4.2.1.10: minimum is 0, its default, so it is not written; maximum is absent.
    subtree.finish();
    count += 1;
    if (count > MOST_SUBTREES) throw new DerError('too many name constraints');
  } while (!subtrees.atEnd);
  return uris;
}

/** A leading dot takes any number of labels in front, but not none; without it the host itself is meant. */
function matches(host: string, constraint: string): boolean {
  return constraint.startsWith('.')
    ? host.endsWith(constraint) && host.length > constraint.length
    : host === constraint;
}

/** The host of a URI (RFC 3986 §3.2.2) in lower case, or undefined when there is none. */
function hostOf(uri: string): string | undefined {
  const authority = /^[a-zA-Z][a-zA-Z0-9+.-]*:\/\/([^/?#]*)/.exec(uri)?.[1];
  const host = authority?.slice(authority.lastIndexOf('@') + 1).replace(/:[0-9]*$/, '');
  return host ? host.toLowerCase() : undefined;
}
