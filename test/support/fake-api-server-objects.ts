/**
 * The objects behind the fake API server: service accounts, pods and nodes, with UIDs, and with the two stages of
 * deletion that a real cluster has. It knows no HTTP and no tokens.
 */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../../shared/clock/clock.ts';
import type { PodFacts } from './tokens.ts';

export interface StoredObject {
  readonly name: string;
  readonly uid: string;
  /** Milliseconds since the Unix epoch: when a graceful deletion ends. */
  deletionTimestamp?: number;
}

export interface StoredPod extends StoredObject {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly nodeName: string;
}

export interface DeleteOptions {
  /** 0: gone at once, like `kubectl delete --force`. */
  readonly graceSeconds?: number;
}

export class ClusterObjects {
  readonly #clock: Clock;
  readonly #serviceAccounts = new Map<string, StoredObject>();
  readonly #pods = new Map<string, StoredPod>();
  readonly #nodes = new Map<string, StoredObject>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  serviceAccount(namespace: string, name: string): StoredObject | undefined {
    return this.#serviceAccounts.get(`${namespace}/${name}`);
  }

  pod(namespace: string, name: string): StoredPod | undefined {
    return this.#pods.get(`${namespace}/${name}`);
  }

  node(name: string): StoredObject | undefined {
    return this.#nodes.get(name);
  }

  ensureServiceAccount(namespace: string, name: string): StoredObject {
    const known = this.serviceAccount(namespace, name);
    if (known) return known;
    const made = { name, uid: randomUUID() };
    this.#serviceAccounts.set(`${namespace}/${name}`, made);
    return made;
  }

  deleteServiceAccount(namespace: string, name: string): void {
    this.#serviceAccounts.delete(`${namespace}/${name}`);
  }

  /** Makes the pod, and whatever it needs that is not there. A pod of that name is replaced: it gets a new UID. */
  createPod(namespace: string, name: string, serviceAccount = 'default', nodeName = 'node-1'): StoredPod {
    this.ensureServiceAccount(namespace, serviceAccount);
    if (!this.#nodes.has(nodeName)) this.#nodes.set(nodeName, { name: nodeName, uid: randomUUID() });
    const pod = { namespace, name, uid: randomUUID(), serviceAccount, nodeName };
    this.#pods.set(`${namespace}/${name}`, pod);
    return pod;
  }

  /** With grace the object stays, marked; its token is then good until a minute after the mark. */
  deletePod(namespace: string, name: string, { graceSeconds = 0 }: DeleteOptions = {}): void {
    const pod = this.pod(namespace, name);
    if (!pod) return;
    if (graceSeconds === 0) this.#pods.delete(`${namespace}/${name}`);
    else pod.deletionTimestamp = this.#clock.now() + graceSeconds * 1000;
  }

  factsOf({ namespace, name, uid, serviceAccount, nodeName }: StoredPod): PodFacts {
    const account = this.ensureServiceAccount(namespace, serviceAccount);
    const nodeUid = this.node(nodeName)?.uid ?? '';
    return { namespace, serviceAccount, serviceAccountUid: account.uid, podName: name, podUid: uid, nodeName, nodeUid };
  }
}
