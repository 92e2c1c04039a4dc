// What the demo API answers once access is granted: an account balance, and an echo of the request.
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { TLSSocket } from 'node:tls';

export function serveAccounts(request: IncomingMessage, response: ServerResponse): void {
  const path = (request.url ?? '/').split('?', 1)[0] as string;
  const account = /^\/v1\/accounts\/([A-Za-z0-9-]{1,32})\/balance$/.exec(path)?.[1];
  request.on('error', () => undefined);
  if (path === '/echo') {
    echo(request, response);
    return;
  }
  request.resume();
  if (!account) reply(request, response, 404, { error: 'There is nothing at this path.' });
  else if (request.method !== 'GET') reply(request, response, 405, { error: 'A balance can only be read.' });
  else reply(request, response, 200, { account, balance: balanceOf(account), currency: 'EUR' });
}

/** The body comes back as its size and digest, so that any body can be sent and checked. */
function echo(request: IncomingMessage, response: ServerResponse): void {
  const digest = createHash('sha256');
  let bytes = 0;
  request.on('data', (chunk: Buffer) => {
    digest.update(chunk);
    bytes += chunk.length;
  });
  request.once('end', () => {
    reply(request, response, 200, {
      method: request.method,
      path: request.url,
      headers: request.headers,
      body: { bytes, sha256: digest.digest('hex') },
      client: clientOf(request),
    });
  });
}

/** Whose certificate the server verified; undefined when it asked for none. */
function clientOf(request: IncomingMessage): { subject: string; fingerprint256: string } | undefined {
  if (!(request.socket instanceof TLSSocket) || !request.socket.authorized) return undefined;
  const certificate = request.socket.getPeerX509Certificate();
  return certificate && { subject: certificate.subject, fingerprint256: certificate.fingerprint256 };
}

/** Made of the account's name, so that the same account always has the same balance. */
function balanceOf(account: string): string {
  return (createHash('sha256').update(account).digest().readUInt32BE(0) / 1e4).toFixed(2);
}

function reply(request: IncomingMessage, response: ServerResponse, status: number, answer: object): void {
  const body = Buffer.from(JSON.stringify(answer));
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': body.length });
  response.end(request.method === 'HEAD' ? undefined : body);
}
