// Opens a server on a port, or says in one sentence why that cannot be; and closes it once its answers are sent.
import type { Server as HttpServer } from 'node:http';
import type { AddressInfo, Server } from 'node:net';
import { connectionsOf } from './connections.ts';

export interface ListenOptions {
  /** 0 takes a free one. */
  readonly port: number;
  /** What wants the port, for the sentence. */
  readonly what: string;
  /** The option that chooses another port, for the sentence. */
  readonly option: string;
  readonly host?: string;
  /** False shares the port with the other workers of a cluster. */
  readonly exclusive?: boolean;
}

/** @returns the port */
export async function listen(server: Server, options: ListenOptions): Promise<number> {
  const { port, what, option, host = '127.0.0.1', exclusive = true } = options;
  connectionsOf(server);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen({ port, host, exclusive }, resolve);
  try {
    await promise;
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    throw new Error(sentenceOf(code, { port, what, option, host }), { cause });
  }
  server.off('error', reject);
  return (server.address() as AddressInfo).port;
}

function sentenceOf(
  code: string | undefined,
  { port, what, option, host }: ListenOptions & { readonly host: string },
): string {
  switch (code) {
    case 'EADDRINUSE':
      return `Port ${port} is taken, and ${what} needs it: stop what uses it, or choose another with ${option}.`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `${host} is no address of this machine, and ${what} cannot listen there (${code}): choose another with --host.`;
    case 'EACCES':
      // capabilities(7); which ports those are is ip_unprivileged_port_start of ip(7).
      return `Port ${port} cannot be opened for ${what} (EACCES): ports below 1024 need a right that this user has not (CAP_NET_BIND_SERVICE); choose another with ${option}.`;
    default:
      return `Port ${port} cannot be opened for ${what} (${code}): choose another with ${option}.`;
  }
}

/** @param host a name, or an address without brackets */
export function urlOf(host: string, port: number, scheme: 'http' | 'https' = 'http'): string {
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** For a connection that has just begun to send its request, in milliseconds. */
const unusedMs = 500;

/**
 * Takes no more connections, lets the answers under way be sent up to the deadline, then cuts them off. A connection on which
 * nothing is asked holds up nothing: an idle one is closed at once, one that has said nothing yet a moment later.
 */
export async function closeServer(server: HttpServer, deadlineMs: number): Promise<void> {
  if (!server.listening) return;
  const { destroyUnused, destroyAll } = connectionsOf(server);
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  const unused = setTimeout(destroyUnused, Math.min(deadlineMs, unusedMs));
  const deadline = setTimeout(destroyAll, deadlineMs);
  await closed;
  clearTimeout(unused);
  clearTimeout(deadline);
}
