/**
 * Load for the issuance bench: an issuer of its own, many pods with a token each, and a fixed number of callers
 * that each send the next request when the answer is there. It counts; it measures nothing of the server.
 */
import { generateKeyPairSync } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { UNSAFE_DEV_ISSUER_MARK } from '../../shared/api/dev-issuer-mark.ts';
import { buildCsr } from '../../shared/x509/csr-builder.ts';
import { encodePem } from '../../shared/x509/pem.ts';
import { CitadelClient } from '../support/citadel-client.ts';
import { makeSigningKey, podClaims, podFacts, signToken } from '../support/tokens.ts';

const PODS = 200;
const CSRS = 64;

export interface Issuer {
  readonly url: string;
  readonly tokens: readonly string[];
  readonly csrs: readonly string[];
  close(): void;
}

export async function startIssuer(): Promise<Issuer> {
  const key = makeSigningKey('RS256');
  const server: Server = createServer((_, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ keys: [key.jwk], [UNSAFE_DEV_ISSUER_MARK]: true }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const tokens = Array.from({ length: PODS }, (_, at) => {
    const facts = podFacts({ namespace: 'bench', serviceAccount: `app-${at}` });
    return signToken(podClaims(facts, { issuer: url, issuedAt: Date.now() }), key);
  });
  const csrs = Array.from({ length: CSRS }, () => {
    const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    return encodePem('CERTIFICATE REQUEST', buildCsr(keys));
  });
  return { url, tokens, csrs, close: () => server.close() };
}

export interface LoadResult {
  readonly issued: number;
  readonly refused: number;
  readonly seconds: number;
}

export async function issueFor(
  seconds: number,
  inFlight: number,
  issuer: Issuer,
  citadel: { readonly port: number; readonly ca: Buffer },
): Promise<LoadResult> {
  using client = new CitadelClient({ ...citadel, sockets: inFlight });
  const began = performance.now();
  const end = began + seconds * 1000;
  let turn = 0;
  let issued = 0;
  let refused = 0;
  const caller = async (): Promise<void> => {
    while (performance.now() < end) {
      const at = turn++;
      const answer = await client.certificate(issuer.tokens[at % PODS]!, issuer.csrs[at % CSRS]!);
      if (answer.status === 201) issued++;
      else refused++;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, caller));
  return { issued, refused, seconds: (performance.now() - began) / 1000 };
}
