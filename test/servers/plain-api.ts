// The API behind the servers that end TLS for another: plain HTTP on loopback.
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Resources } from './resources.ts';

/** Its port. `onRequest` sees each request. */
export async function plainApi(resources: Resources, onRequest?: (request: IncomingMessage) => void): Promise<number> {
  const server = createServer((request, response) => {
    onRequest?.(request);
    if (request.url === '/misdirected') response.statusCode = 421;
    response.end('granted\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  resources.onEnd(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}
