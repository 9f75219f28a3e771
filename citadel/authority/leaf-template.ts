/**
 * The hot path of issuing: everything in a leaf that does not change under one issuer is encoded once; per
 * certificate only serial, dates, key, key identifier and names are written, straight into one buffer. Which
 * fields a leaf has is decided here and nowhere else: nothing of the CSR but its key gets in.
 */

import { constructedTag, DerError, TAG } from '../../shared/x509/der-reader.ts';
import {
  context,
  contextPrimitive,
  extension,
  integer,
  namedBits,
  octets,
  oid,
  seq,
  utcOrGeneralTime,
} from '../../shared/x509/der-writer.ts';
import { OID } from '../../shared/x509/oids.ts';
import { KEY_IDENTIFIER_BYTES, keyIdentifierOf } from './key-identifier.ts';
import { SERIAL_BYTES } from './serial-number.ts';
import type { Signer } from './signer.ts';

export interface LeafIssuer {
  /** Name in DER, byte for byte as in the issuer's certificate. */
  readonly name: Buffer;
  readonly keyId: Buffer;
  readonly signer: Signer;
}

export interface LeafFields {
  /** SERIAL_BYTES long. */
  readonly serial: Uint8Array;
  /** Milliseconds since the Unix epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** SubjectPublicKeyInfo in DER. */
  readonly spki: Buffer;
  /** GeneralName elements in DER (see uriName). */
  readonly names: Uint8Array;
}

export interface LeafTemplate {
  /** @returns the signed certificate in DER */
  sign(fields: LeafFields): Buffer;
}

/** GeneralName uniformResourceIdentifier, RFC 5280 §4.2.1.6. */
export const uriName = (uri: string): Buffer => contextPrimitive(6, Buffer.from(uri, 'latin1'));

const VERSION_3 = context(0, integer(2));
/** RFC 5280 §4.1.2.6: empty, which makes a critical subjectAltName mandatory. */
const EMPTY_SUBJECT = seq();

// SPIFFE X509-SVID §4: cA false, digitalSignature and nothing else, both extended usages.
const CONSTANT_EXTENSIONS = Buffer.concat([
  extension(OID.basicConstraints, true, seq()),
  extension(OID.keyUsage, true, namedBits(0)),
  extension(OID.extendedKeyUsage, false, seq(oid(OID.serverAuth), oid(OID.clientAuth))),
]);

/** What goes before the 20 octets of the subject's key identifier. */
const KEY_ID_PREFIX = extension(OID.subjectKeyIdentifier, false, octets(Buffer.alloc(KEY_IDENTIFIER_BYTES))).subarray(
  0,
  -KEY_IDENTIFIER_BYTES,
);
/** What goes between the header of the subjectAltName extension and its OCTET STRING. */
const ALT_NAME_PREFIX = Buffer.concat([oid(OID.subjectAltName), Buffer.from([TAG.boolean, 1, 0xff])]);

/** Longest signature we make (RSA-8192), for the size of the buffer. */
const MOST_SIGNATURE = 1024;
const OUTER_HEADER = 4;

export function createLeafTemplate({ name, keyId, signer }: LeafIssuer): LeafTemplate {
  const beforeSerial = Buffer.concat([VERSION_3, Buffer.from([TAG.integer, SERIAL_BYTES])]);
  const afterSerial = Buffer.concat([signer.algorithm, name]);
  const beforeKeyId = Buffer.concat([CONSTANT_EXTENSIONS, KEY_ID_PREFIX]);
  const afterKeyId = extension(OID.authorityKeyIdentifier, false, seq(contextPrimitive(0, keyId)));
  const constantExtensionBytes = beforeKeyId.length + KEY_IDENTIFIER_BYTES + afterKeyId.length;
  const constantBytes = beforeSerial.length + SERIAL_BYTES + afterSerial.length + EMPTY_SUBJECT.length;
  const validityOf = memoised(validity);

  return {
    sign({ serial, notBefore, notAfter, spki, names }) {
      const dates = validityOf(notBefore, notAfter);
      const namesSeq = sized(names.length);
      const namesOctets = sized(namesSeq);
      const altName = ALT_NAME_PREFIX.length + namesOctets;
      const extensions = constantExtensionBytes + sized(altName);
      const tbs = constantBytes + dates.length + spki.length + sized(sized(extensions));
      const out = new Writer(OUTER_HEADER + sized(tbs) + signer.algorithm.length + sized(MOST_SIGNATURE + 1));

      out
        .header(TAG.sequence, tbs)
        .put(beforeSerial)
        .put(serial)
        .put(afterSerial)
        .put(dates)
        .put(EMPTY_SUBJECT)
        .put(spki);
      out.header(constructedTag(3), sized(extensions)).header(TAG.sequence, extensions);
      out.put(beforeKeyId).put(keyIdentifierOf(spki)).put(afterKeyId);
      out
        .header(TAG.sequence, altName)
        .put(ALT_NAME_PREFIX)
        .header(TAG.octetString, namesSeq)
        .header(TAG.sequence, names.length)
        .put(names);

      const signature = signer.sign(out.written());
      out
        .put(signer.algorithm)
        .header(TAG.bitString, signature.length + 1)
        .byte(0)
        .put(signature);
      return out.wrapped();
    },
  };
}

/** Writes into one buffer, leaving room in front for the header that is known last. */
class Writer {
  readonly #bytes: Buffer;
  #at = OUTER_HEADER;

  constructor(size: number) {
    if (size > 0xffff) throw new DerError('too large to write');
    this.#bytes = Buffer.allocUnsafe(size);
  }

  put(part: Uint8Array): this {
    this.#bytes.set(part, this.#at);
    this.#at += part.length;
    return this;
  }

  byte(value: number): this {
    this.#bytes[this.#at++] = value;
    return this;
  }

  /** X.690 §8.1.3, §10.1: the shortest form of the length. */
  header(tag: number, length: number): this {
    this.#at = writeHeader(this.#bytes, this.#at, tag, length);
    return this;
  }

  written(): Buffer {
    return this.#bytes.subarray(OUTER_HEADER, this.#at);
  }

  /** Everything written, as one SEQUENCE. */
  wrapped(): Buffer {
    const length = this.#at - OUTER_HEADER;
    const start = OUTER_HEADER - (sized(length) - length);
    writeHeader(this.#bytes, start, TAG.sequence, length);
    return this.#bytes.subarray(start, this.#at);
  }
}

function writeHeader(bytes: Buffer, start: number, tag: number, length: number): number {
  let at = start;
  bytes[at++] = tag;
  if (length >= 0x100) {
    bytes[at++] = 0x82;
    bytes[at++] = length >> 8;
  } else if (length >= 0x80) bytes[at++] = 0x81;
  bytes[at++] = length & 0xff;
  return at;
}

/** Length of an element with this much content. */
function sized(length: number): number {
  return length + (length < 0x80 ? 2 : length < 0x100 ? 3 : 4);
}

function validity(notBefore: number, notAfter: number): Buffer {
  return seq(utcOrGeneralTime(notBefore), utcOrGeneralTime(notAfter));
}

/** Certificates of the same second and lifetime share their dates. */
function memoised(
  encode: (notBefore: number, notAfter: number) => Buffer,
): (notBefore: number, notAfter: number) => Buffer {
  let last = { notBefore: Number.NaN, notAfter: Number.NaN, der: Buffer.alloc(0) as Buffer };
  return (notBefore, notAfter) => {
    if (last.notBefore !== notBefore || last.notAfter !== notAfter)
      last = { notBefore, notAfter, der: encode(notBefore, notAfter) };
    return last.der;
  };
}
