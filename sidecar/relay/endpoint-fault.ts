/** Which failures speak against an endpoint, so that another one is worth a try, and which are our own or the caller's. Pure. */
import type { Refusal } from '../../shared/errors/refusal.ts';

/** Endpoints that one request or connection is tried at. */
export const MOST_TRIES = 3;

/** An endpoint that obeys its policy does well, and others of its service have the same one. */
const FAULT = /^(?:upstream_(?!overloaded)|tunnel_(?!forbidden)|peer_|app_|answer_timeout|connection_broken)/;

/** An identity of ours that is missing fails everywhere, and a limit of ours is no failure. */
export function faultOfEndpoint({ code }: Refusal): boolean {
  return FAULT.test(code);
}
