/**
 * Runs a line of code inside a thread of a running program, through Node's inspector: what nothing outside can make
 * happen (a bug that throws) happens so, in the program as it is. The program must have `--inspect-port=0`.
 */
import type { Running } from '../../scripts/local-mesh/running.ts';
import { until } from './until.ts';

interface Message {
  readonly method?: string;
  readonly params?: { readonly sessionId?: string; readonly workerInfo?: { readonly title?: string } };
}

/** @param title of the worker; any one of that name */
export async function inThread(running: Running, title: string, code: string): Promise<void> {
  running.child.kill('SIGUSR1');
  const url = await until('the inspector listens', () => {
    const line = running.lines.find((one) => one.startsWith('Debugger listening on '));
    return line?.slice('Debugger listening on '.length);
  });
  const socket = new WebSocket(url);
  await event(socket, 'open');
  const attached = new Promise<string>((resolve) => {
    socket.addEventListener('message', ({ data }) => {
      const { method, params } = JSON.parse(String(data)) as Message;
      if (method === 'NodeWorker.attachedToWorker' && params?.workerInfo?.title?.includes(title)) {
        resolve(params.sessionId!);
      }
    });
  });
  socket.send(JSON.stringify({ id: 1, method: 'NodeWorker.enable', params: { waitForDebuggerOnStart: false } }));
  const sessionId = await attached;
  const message = JSON.stringify({ id: 1, method: 'Runtime.evaluate', params: { expression: code } });
  socket.send(JSON.stringify({ id: 2, method: 'NodeWorker.sendMessageToWorker', params: { sessionId, message } }));
  // Node waits at its end until nobody is connected any more.
  socket.close();
  await event(socket, 'close');
}

function event(socket: WebSocket, name: 'open' | 'close'): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.addEventListener(name, () => resolve());
    if (name === 'open') socket.addEventListener('error', () => reject(new Error('the inspector does not answer')));
  });
}
