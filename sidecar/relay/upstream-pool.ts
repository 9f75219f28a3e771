/**
 * Keep-alive connections to one destination, as agents of node:http. A connection goes back into the pool only
 * while its identities hold: a retired one finishes what it carries and is closed. It retries nothing.
 */
import { Agent, type ClientRequest, type ClientRequestArgs } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Refusal } from '../../shared/errors/refusal.ts';
import type { Carrier } from './relay.ts';
import type { Upstream, UpstreamConnection } from './upstream.ts';

/** More idle connections than this are not kept. Surplus ones end by the idle limit long before. */
const MOST_IDLE = 1024;

export class UpstreamPool {
  readonly kind: Upstream['kind'];
  /** Uses an idle connection, or a new one that is kept afterwards. */
  readonly keeping: Agent;
  /** Uses a new connection for every request and keeps none: for a second try, and for upgrades. */
  readonly fresh: Agent;
  readonly #connections = new WeakMap<Duplex, UpstreamConnection>();

  /** @param idleSeconds after which an unused connection is closed; less than servers wait, so that they never close first */
  constructor(upstream: Upstream, idleSeconds: number) {
    this.kind = upstream.kind;
    const dial = async (): Promise<UpstreamConnection> => {
      const connection = await upstream.dial();
      this.#connections.set(connection.socket, connection);
      return connection;
    };
    this.keeping = new PoolAgent(dial, { keepAlive: true, maxFreeSockets: MOST_IDLE, timeout: idleSeconds * 1000 });
    this.fresh = new PoolAgent(dial, { keepAlive: false });
  }

  /** What is known of the connection that a request goes out on. */
  connectionOf(socket: Duplex): UpstreamConnection | undefined {
    return this.#connections.get(socket);
  }

  close(): void {
    this.keeping.destroy();
    this.fresh.destroy();
  }
}

class PoolAgent extends Agent {
  readonly #dial: () => Promise<UpstreamConnection>;
  readonly #idle = new Set<Duplex>();
  readonly #retired = new WeakSet<Duplex>();

  constructor(dial: () => Promise<UpstreamConnection>, options: ConstructorParameters<typeof Agent>[0]) {
    super(options);
    this.#dial = dial;
  }

  /** One destination, one pool: what is in a request's options does not matter. */
  override getName(): string {
    return 'upstream';
  }

  override createConnection(
    _options: ClientRequestArgs,
    created?: (error: Error | null, stream: Duplex) => void,
  ): undefined {
    this.#dial().then(
      ({ socket, connection }) => {
        socket.once('close', () => this.#idle.delete(socket));
        connection?.carriedBy(this.#carrierOf(socket));
        created?.(null, socket);
      },
      // node:http takes no stream together with an error, whatever its types say.
      (error: Error) => (created as ((error: Error) => void) | undefined)?.(error),
    );
  }

  override keepSocketAlive(socket: Duplex): boolean {
    // The typed result of node:http is void, its real one tells whether the other side announced to keep it.
    const kept = (super.keepSocketAlive(socket) as unknown) === true && !this.#retired.has(socket);
    if (kept) this.#idle.add(socket);
    return kept;
  }

  override reuseSocket(socket: Duplex, request: ClientRequest): void {
    this.#idle.delete(socket);
    super.reuseSocket(socket, request);
  }

  #carrierOf(socket: Socket): Carrier {
    const retire = (): void => {
      this.#retired.add(socket);
      if (!this.#idle.delete(socket)) return;
      // In this order and in one turn: node:http takes only what is no longer writable out of its idle connections,
      // and a request that found this one there would wait for ever.
      socket.destroySoon();
      socket.emit('agentRemove');
    };
    return { retire, expire: retire, cut: (why: Refusal) => void socket.destroy(why) };
  }
}
