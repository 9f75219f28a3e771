/**
 * A caller of citadel that speaks TLS and then writes bytes as it likes, well-formed or not. It does not verify
 * citadel: what is tested with it is what citadel does with strangers.
 */
import { once } from 'node:events';
import { connect } from 'node:tls';
import { RawClient } from './raw-client.ts';

export async function tlsCaller(port: number): Promise<RawClient> {
  const socket = connect({ host: '127.0.0.1', port, servername: 'localhost', rejectUnauthorized: false });
  // From the start, so that no byte and no error is missed.
  const caller = new RawClient(socket);
  await once(socket, 'secureConnect');
  return caller;
}
