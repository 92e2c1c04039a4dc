// A server in place of Secrets Manager that fails in the way a test asks for.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

export interface StoreServer {
  readonly url: string;
  /** Requests so far. */
  readonly requests: () => number;
  close(): Promise<void>;
}

type Answer = (response: ServerResponse, count: number, request: IncomingMessage) => void;

/** `answer` is called once the request has been read; `count` is 1 for the first. */
export async function startStore(answer: Answer): Promise<StoreServer> {
  let requests = 0;
  const server = createServer((request, response) => {
    requests += 1;
    const count = requests;
    request.resume().on('end', () => answer(response, count, request));
  });
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: () => requests,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** AWS JSON 1.1: an error is its name in `__type`. */
export function sendError(response: ServerResponse, status: number, name: string, message = 'No.'): void {
  send(response, status, { __type: name, message, Message: message });
}

export function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' });
  response.end(typeof body === 'string' ? body : JSON.stringify(body));
}
