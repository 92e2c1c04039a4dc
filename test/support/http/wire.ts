// Servers on loopback that answer with exactly the bytes a test wants, and the client's view of such an answer.
import { once } from 'node:events';
import {
  type Agent,
  type ClientRequest,
  createServer as httpServer,
  type IncomingMessage,
  type RequestListener,
  request,
} from 'node:http';
import { type AddressInfo, createServer as netServer, type Server, type Socket } from 'node:net';
import { expect, onTestFinished } from 'vitest';
import { CountersignError, type ErrorCode } from '../../../core/errors.ts';
import { type BodyOptions, type CollectedBody, collectBody } from '../../../core/http/body.ts';

/** Answers each connection once its request has come; ended with the test. */
export async function rawServer(answer: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = netServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('data', () => answer(socket));
  });
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return listen(server);
}

export async function webServer(listener: RequestListener): Promise<number> {
  const server = httpServer(listener);
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return listen(server);
}

export async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

export interface Call {
  readonly sent: ClientRequest;
  readonly response: IncomingMessage;
  readonly body: Promise<CollectedBody>;
}

/** Its body is being read, from the moment at which the answer's head came. */
export function call(port: number, options: BodyOptions, method = 'GET', agent: Agent | false = false): Promise<Call> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, method, agent });
    sent.once('error', reject);
    sent.once('response', (response) => {
      // As a caller does: the body reports the failure.
      sent.on('error', () => {});
      const body = collectBody(response, options);
      body.catch(() => {});
      resolve({ sent, response, body });
    });
    sent.end();
  });
}

/** Expects the body to fail and its connection to be gone. */
export async function failure(port: number, code: ErrorCode, options: BodyOptions): Promise<CountersignError> {
  const { response, body } = await call(port, options);
  const error = await body.then(
    () => expect.fail('The body was read.'),
    (thrown: unknown) => thrown as CountersignError,
  );
  expect(error).toBeInstanceOf(CountersignError);
  expect(error.code).toBe(code);
  expect(response.socket.destroyed || response.complete).toBe(true);
  return error;
}
