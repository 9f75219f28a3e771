/**
 * One request to switch protocols, from its head to the end of both streams. It prepares what http-proxy sends, takes
 * over when the answer is no 101, and ends everything when either side leaves, with an identity or when it is silent.
 */
import type { ClientRequest, IncomingMessage } from 'node:http';
import { Refusal } from '../../shared/errors/refusal.ts';
import { type FieldNames, NO_NAMES } from '../../shared/http1/field-names.ts';
import type { RequestHead } from '../../shared/http1/head.ts';
import type { Channel } from '../channel/channel.ts';
import { ChannelDuplex } from '../channel/channel-duplex.ts';
import type { ServedRequest } from '../telemetry/served-request.ts';
import { refusalText } from './http1-answer-text.ts';
import type { Http1Context } from './http1-context.ts';
import { gatewayStatus, malformedAnswer, refusalOfAnswer, refusalOfCall } from './http1-failure.ts';
import { UPGRADE, upgradeFields } from './http1-request.ts';
import { pathOf } from './http1-served.ts';
import { IDENTITY_NAMES } from './identity-headers.ts';
import type { Watched } from './idle-watch.ts';
import { checkedHead, fieldLines, fieldsOf, writeAnswer } from './proxied-answer.ts';
import type { Carrier, RegisteredConnection, RetirementReason } from './relay.ts';
import { type ProxiedRequest, proxyUpgrade } from './upgrade-proxy.ts';
import type { UpstreamConnection } from './upstream.ts';

export interface UpgradeCaller {
  readonly channel: Channel;
  readonly registered: RegisteredConnection;
  readonly peerLine: string;
  readonly peer: string | undefined;
  readonly own: string | undefined;
  /** Its channel is closed. */
  readonly closed: () => void;
}

/** Milliseconds that either side gets to close what was ended. */
const LINGER_MS = 2_000;

export class Http1Upgrade implements ProxiedRequest, Carrier, Watched {
  readonly client: ChannelDuplex;
  readonly early: Buffer;
  readonly #context: Http1Context;
  readonly #caller: UpgradeCaller;
  readonly #head: RequestHead;
  readonly #target: string;
  readonly #requestId: string;
  readonly #fields: string;
  readonly #startedAt: number;
  readonly #left = new AbortController();
  #call: ClientRequest | undefined;
  #upstream: UpstreamConnection | undefined;
  #stream: ChannelDuplex | undefined;
  #why: Refusal | undefined;
  #status = 0;
  #answerBytes = 0;
  #bytes = 0;
  #movedAt: number;
  #isEnding = false;
  #endWhenQuiet = false;
  #open = 1;

  /** @param early what came behind the head */
  constructor(context: Http1Context, caller: UpgradeCaller, head: RequestHead, target: string, early: Buffer) {
    this.#context = context;
    this.#caller = caller;
    this.#head = head;
    this.#target = target;
    this.early = early;
    this.#requestId = head.requestId === '' ? context.requestIds.next() : head.requestId;
    const own = head.requestId === '' ? `X-Request-Id: ${this.#requestId}\r\n` : '';
    this.#fields = upgradeFields(head, own + caller.peerLine);
    this.#startedAt = this.#movedAt = context.watch.now();
    this.client = new ChannelDuplex(caller.channel);
    this.client.on('error', (error) => this.#onBroken(error)).on('close', () => this.#onClosed());
    context.watch.add(this);
    caller.registered.carriedBy(this);
  }

  begin(): void {
    try {
      proxyUpgrade(this);
    } catch (error) {
      // node:http refuses to write some bytes that a reader of heads takes.
      const { code = '' } = error as NodeJS.ErrnoException;
      this.#refuse(new Refusal('http_malformed', { detail: code, cause: error }), 400);
    }
  }

  async dial(): Promise<UpstreamConnection> {
    const { signal } = this.#left;
    const connection = await this.#context.upgrades.dial(signal);
    if (!signal.aborted) return connection;
    const left = new Refusal('connection_broken', 'the caller left');
    connection.release?.();
    connection.channel.abort(left);
    throw left;
  }

  prepare(call: ClientRequest): void {
    this.#call = call;
    for (const name of call.getHeaderNames()) call.removeHeader(name);
    for (const [name, value] of fieldLines(this.#fields)) call.appendHeader(name, value);
    call.path = this.#target;
    call.maxHeadersCount = 0; // bounded by bytes; a number would silently drop what is beyond it
  }

  dialed(connection: UpstreamConnection, stream: ChannelDuplex): void {
    this.#upstream = connection;
    this.#stream = stream;
    this.#open++;
    stream.on('error', (error) => this.#onBroken(error)).on('close', () => this.#onClosed());
    if (connection.connection) connection.connection.requests++;
    connection.connection?.carriedBy(this);
  }

  onSwitch(answer: IncomingMessage, join: () => void): void {
    const { headLimits, kind } = this.#context;
    try {
      const head = checkedHead(answer, headLimits, this.#strip);
      if (head.upgrade !== UPGRADE) throw malformedAnswer('another protocol than asked for', kind);
      answer.headers = { Connection: ['Upgrade'], Upgrade: [UPGRADE], ...fieldsOf(head) } as IncomingMessage['headers'];
    } catch (error) {
      this.fail(error instanceof Refusal ? error : refusalOfAnswer(error, kind));
      return;
    }
    this.#status = 101;
    this.#movedAt = this.#context.watch.now();
    join();
  }

  /** Its answer is an answer like any other, and the last one here. */
  onAnswer(answer: IncomingMessage): void {
    const { headLimits, kind } = this.#context;
    answer.on('error', () => this.client.destroy(new Refusal('connection_broken', 'the answer broke off')));
    try {
      const head = checkedHead(answer, headLimits, this.#strip);
      this.#status = head.status;
      const moved = (bytes: number): void => {
        this.#answerBytes += bytes;
      };
      writeAnswer(answer, head, this.client, moved, () => this.#end());
    } catch (error) {
      this.fail(refusalOfAnswer(error, kind));
    }
  }

  fail(error: Error): void {
    if (this.#status !== 0) return;
    const refusal = refusalOfCall(error, this.#context.kind);
    this.#refuse(refusal, gatewayStatus(refusal));
  }

  look(now: number): void {
    const { channel } = this.client;
    const bytes = channel.bytesRead + channel.bytesWritten;
    const idleMs = bytes === this.#bytes ? now - this.#movedAt : 0;
    if (idleMs === 0) {
      this.#bytes = bytes;
      this.#movedAt = now;
    }
    const isIdle = idleMs > this.#context.limits.idleSeconds * 1000;
    if (this.#isEnding) {
      if (idleMs > LINGER_MS) this.#abort(new Refusal('connection_idle', 'it did not close'));
    } else if (this.#status === 0 && isIdle) this.#refuse(new Refusal('answer_timeout'), 504);
    else if (isIdle) this.#end(new Refusal('connection_idle'));
    else if (this.#endWhenQuiet && idleMs > 0) this.#end();
  }

  retire(reason: RetirementReason): void {
    if (reason === 'draining') this.#endWhenQuiet = true;
  }

  expire(): void {
    if (this.#status === 101) this.#why ??= new Refusal('connection_expired');
    this.#endWhenQuiet = true;
  }

  cut(why: Refusal): void {
    if (this.#status === 0 && !this.client.destroyed) return void this.#refuse(why, why.status);
    this.#why ??= why;
    this.#abort(why);
  }

  get #strip(): FieldNames {
    return this.#context.kind === 'app' ? IDENTITY_NAMES : NO_NAMES;
  }

  #refuse(refusal: Refusal, status: number): void {
    if (this.#status !== 0 || this.client.destroyed) return;
    this.#status = status;
    this.#why = refusal;
    const { code, detail } = refusal;
    const peer = this.#peer;
    this.#context.log.warn('request_refused', { code, reason: detail, peer, requestId: this.#requestId });
    this.#context.observer.refused(refusal);
    this.client.write(refusalText({ refusal, status, requestId: this.#requestId, option: 'close' }), 'latin1');
    this.#left.abort();
    this.#call?.destroy();
    this.#stream?.destroy();
    this.#end();
  }

  /** In order, both directions of both. */
  #end(why?: Refusal): void {
    this.#why ??= why;
    this.#isEnding = true;
    this.#movedAt = this.#context.watch.now();
    for (const stream of [this.client, this.#stream]) stream?.end().resume();
  }

  #abort(why: Refusal): void {
    this.client.destroy(why);
    this.#stream?.destroy(why);
  }

  /** At the error already, before http-proxy ends the other one in order: a broken stream must not look finished. */
  #onBroken(error: Error): void {
    if (this.#status === 101) this.#abort(error instanceof Refusal ? error : new Refusal('connection_broken'));
  }

  #onClosed(): void {
    if (this.client.destroyed && this.#status !== 101) {
      this.#left.abort();
      this.#call?.destroy();
      this.#stream?.destroy();
    }
    if (--this.#open > 0) return;
    const { watch, observer } = this.#context;
    watch.remove(this);
    this.#upstream?.release?.();
    observer.requestServed(this.#served());
    this.#caller.closed();
  }

  get #peer(): string | undefined {
    return this.#upstream?.peer?.spiffeId.uri ?? this.#caller.peer;
  }

  #served(): ServedRequest {
    return {
      requestId: this.#requestId,
      method: this.#head.method,
      path: pathOf(this.#head.target),
      protocol: 'http',
      status: this.#status,
      grpcStatus: '',
      refusal: this.#why?.code ?? '',
      callerLeft: this.#status === 0,
      durationMs: this.#context.watch.now() - this.#startedAt,
      requestBytes: 0,
      answerBytes: this.#answerBytes,
      peer: this.#peer,
      own: this.#upstream?.own?.spiffeId.uri ?? this.#caller.own,
    };
  }
}
