/** The calls of the API, each by path and method: what is not in this table is 404 or 405. */
import { Refusal } from '../../shared/errors/refusal.ts';
import type { Call } from './exchange.ts';
import { pathOf } from './request-target.ts';

type Method = 'GET' | 'POST';

export interface Route {
  readonly path: string;
  readonly method: Method;
  readonly call: Call;
}

export class NotAllowed extends Refusal {
  /** RFC 9110 §15.5.6: a 405 lists what is allowed. */
  readonly allow: string;

  constructor(allow: string) {
    super('method_not_allowed', `allowed: ${allow}`);
    this.allow = allow;
  }
}

export class CallTable {
  readonly #byPath: ReadonlyMap<string, ReadonlyMap<string, Call>>;

  constructor(routes: readonly Route[]) {
    const byPath = new Map<string, Map<string, Call>>();
    for (const { path, method, call } of routes) {
      const methods = byPath.get(path) ?? new Map<string, Call>();
      methods.set(method, call);
      // RFC 9110 §9.3.2: HEAD is GET without the body, which node:http leaves out by itself.
      if (method === 'GET') methods.set('HEAD', call);
      byPath.set(path, methods);
    }
    this.#byPath = byPath;
  }

  /** @throws {Refusal} request_malformed, route_unknown, or {NotAllowed} */
  find(method: string, target: string): Call {
    const methods = this.#byPath.get(pathOf(target));
    if (!methods) throw new Refusal('route_unknown');
    const call = methods.get(method);
    if (!call) throw new NotAllowed([...methods.keys()].join(', '));
    return call;
  }
}
