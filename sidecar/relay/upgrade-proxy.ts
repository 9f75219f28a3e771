/**
 * Upgrades (WebSocket) go through http-proxy: it makes the request, answers the 101 and joins the two streams. Its
 * input is ours: it sees nothing of a head but what makes it take the request for an upgrade, and what it would send
 * is replaced by what we send. Loaded when the first upgrade comes.
 */
import { Agent, type ClientRequest, type ClientRequestArgs, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type HttpProxy from 'http-proxy';
import { ChannelDuplex } from '../channel/channel-duplex.ts';
import { hardenedHttpProxy } from './http-proxy-hardened.ts';
import type { UpstreamConnection } from './upstream.ts';

/** Who asked for an upgrade, and stands between http-proxy and both sides. */
export interface ProxiedRequest {
  readonly client: ChannelDuplex;
  /** What came behind the head. */
  readonly early: Buffer;
  dial(): Promise<UpstreamConnection>;
  /** Called before anything is sent. */
  prepare(call: ClientRequest): void;
  dialed(connection: UpstreamConnection, stream: ChannelDuplex): void;
  /** @param join lets http-proxy answer the 101 and join the streams */
  onSwitch(answer: IncomingMessage, join: () => void): void;
  /** It did not switch. */
  onAnswer(answer: IncomingMessage): void;
  fail(error: Error): void;
}

/** The agent dials; this only satisfies http-proxy. */
const TARGET = { protocol: 'http:', host: 'upstream', hostname: 'upstream', port: '80', path: '' };

let loaded: HttpProxy | undefined;

export function proxyUpgrade(request: ProxiedRequest): void {
  loaded ??= hardenedHttpProxy({});
  let call: ClientRequest | undefined;
  const prepare = (made: ClientRequest): void => {
    call = made;
    request.prepare(made);
  };
  loaded.once('proxyReqWs', prepare);
  const asked = {
    method: 'GET',
    url: '/',
    httpVersion: '1.1',
    headers: { upgrade: 'websocket', connection: 'Upgrade' },
  };
  const options = { agent: new DialingAgent(request), target: TARGET, toProxy: true };
  try {
    loaded.ws(
      asked as unknown as IncomingMessage,
      request.client as unknown as Socket,
      request.early,
      options,
      (error) => request.fail(error),
    );
  } finally {
    loaded.off('proxyReqWs', prepare);
  }
  if (call) standBetween(call, request);
}

/** http-proxy has its listeners on the call now: it gets to see a 101 that is one, and no other answer. */
function standBetween(call: ClientRequest, request: ProxiedRequest): void {
  const joins = call.listeners('upgrade');
  call.removeAllListeners('upgrade').removeAllListeners('response');
  call.on('upgrade', (answer, stream, head) =>
    request.onSwitch(answer, () => {
      for (const join of joins) join.call(call, answer, stream, head);
    }),
  );
  call.on('response', (answer: IncomingMessage) => request.onAnswer(answer));
}

/** A new connection for every upgrade, kept by nobody. */
class DialingAgent extends Agent {
  readonly #request: ProxiedRequest;

  constructor(request: ProxiedRequest) {
    super({ keepAlive: false });
    this.#request = request;
  }

  override createConnection(
    _options: ClientRequestArgs,
    created?: (error: Error | null, stream: Duplex) => void,
  ): undefined {
    this.#request.dial().then(
      (connection) => {
        const stream = new ChannelDuplex(connection.channel);
        this.#request.dialed(connection, stream);
        created?.(null, stream);
      },
      // node:http takes no stream together with an error, whatever its types say.
      (error: Error) => (created as ((error: Error) => void) | undefined)?.(error),
    );
  }
}
