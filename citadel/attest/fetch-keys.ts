/**
 * One fetch of an issuer's key set over HTTP: by its URL, or found through the discovery document. HTTPS with a
 * verified server always; plain HTTP, and documents that carry the mark of a development issuer, only when the
 * operator has named the issuer as one. Sizes and times are limited. It caches nothing.
 */
import { readFile } from 'node:fs/promises';
import type { Clock } from '../../shared/clock/clock.ts';
import { Refusal } from '../../shared/errors/refusal.ts';
import { boundedRequest } from '../../shared/http/bounded-request.ts';
import { CaFilePool } from '../../shared/http/ca-file-pool.ts';
import type { HttpPool } from '../../shared/http/undici.ts';
import { IssuerDocumentError, type KeySet, readDiscovery, readKeySet } from './issuer-documents.ts';

export interface IssuerAddress {
  /** Exactly what tokens carry as `iss`. */
  readonly issuer?: string | undefined;
  /** None: asked for in the discovery document. */
  readonly jwksUrl?: string | undefined;
  readonly caFile?: string | undefined;
  /** A token of our own that the issuer wants to see; read again for each fetch. */
  readonly tokenFile?: string | undefined;
  /** The operator knows that this is a development issuer. */
  readonly unsafeDevIssuer: boolean;
}

export interface KeyFetcher {
  readonly issuer: string;
  fetchKeys(): Promise<KeySet>;
  close(): Promise<void>;
}

const TIMEOUT_MS = 5000;
const MOST_BYTES = 256 * 1024;

/** @throws {Refusal} config_invalid when the addresses are not ones to take keys from */
export function createKeyFetcher(address: IssuerAddress, clock: Clock): KeyFetcher {
  const { issuer, jwksUrl, caFile, unsafeDevIssuer } = address;
  if (issuer === undefined) throw new Refusal('config_invalid', 'attestation.oidc.issuer is not set');
  const first = URL.parse(jwksUrl ?? issuer);
  const problem = first ? addressProblem(first, unsafeDevIssuer) : 'attestation.oidc needs a URL as issuer, or jwksUrl';
  if (problem !== undefined) throw new Refusal('config_invalid', problem);

  const pools = new Map<string, CaFilePool>();
  const get = async (url: URL): Promise<Buffer> => {
    const unsafe = addressProblem(url, unsafeDevIssuer);
    if (unsafe !== undefined) throw new IssuerDocumentError(unsafe);
    const pool =
      pools.get(url.origin) ??
      new CaFilePool({ origin: url.origin, clock, connections: 2, ...(caFile === undefined ? {} : { caFile }) });
    pools.set(url.origin, pool);
    return getDocument(await pool.current(), url, address.tokenFile, clock);
  };
  return {
    issuer,
    async fetchKeys() {
      const url = new URL(jwksUrl ?? readDiscovery(await get(discoveryUrl(issuer)), issuer));
      const keySet = readKeySet(await get(url));
      refuseUnsafeKeys(keySet, url, unsafeDevIssuer);
      return keySet;
    },
    async close() {
      await Promise.all([...pools.values()].map((pool) => pool.close()));
    },
  };
}

async function getDocument(pool: HttpPool, url: URL, tokenFile: string | undefined, clock: Clock): Promise<Buffer> {
  const authorization = await authorizationFor(url, tokenFile);
  const { status, body } = await boundedRequest(
    pool,
    {
      method: 'GET',
      path: `${url.pathname}${url.search}`,
      headers: { accept: 'application/jwk-set+json, application/json', ...authorization },
    },
    { clock, timeoutMs: TIMEOUT_MS, mostBytes: MOST_BYTES },
  );
  // No redirect is followed: it would take the keys from somewhere else than the operator said.
  if (status !== 200) throw new IssuerDocumentError(`${url.origin}${url.pathname} answers ${status}`);
  return body;
}

/** Our own token travels only where the server is verified. */
async function authorizationFor(url: URL, tokenFile: string | undefined): Promise<Record<string, string>> {
  if (tokenFile === undefined || url.protocol !== 'https:') return {};
  return { authorization: `Bearer ${(await readFile(tokenFile, 'utf8')).trim()}` };
}

/** OpenID Connect Discovery §4: the path is put behind the issuer, whose own path is kept. */
function discoveryUrl(issuer: string): URL {
  return new URL(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`);
}

function addressProblem({ protocol, origin }: URL, unsafeDevIssuer: boolean): string | undefined {
  if (protocol === 'https:' || (protocol === 'http:' && unsafeDevIssuer)) return undefined;
  return `keys are fetched over https only, not from ${origin}; plain http needs attestation.oidc.unsafeDevIssuer`;
}

/**
 * Both ways: a development issuer is refused unless it is configured as one, and whoever is configured as one
 * and speaks plain HTTP must be one, so that the setting does not open a real issuer to anybody on the path.
 */
function refuseUnsafeKeys({ unsafe }: KeySet, { protocol }: URL, unsafeDevIssuer: boolean): void {
  if (unsafe && !unsafeDevIssuer) {
    throw new IssuerDocumentError(
      'the issuer says that it is a development issuer: anybody may have its tokens; see attestation.oidc.unsafeDevIssuer',
    );
  }
  if (!unsafe && protocol === 'http:') throw new IssuerDocumentError('a real issuer must be reached over https');
}
