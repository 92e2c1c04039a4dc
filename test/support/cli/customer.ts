// A customer's API that returns what it received, a directory with its identity, and the command as a process.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  createServer as createPlainServer,
  type IncomingMessage,
  type Server as PlainServer,
  type ServerResponse,
} from 'node:http';
import { createServer, type Server, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import type { IssuedCertificate } from '../../../local/authority/authority.ts';
import { privateFolder } from '../program.ts';
import { writeIdentity } from '../serve/serving.ts';
import { createAuthorities } from '../stage.ts';
import { mainFile, root } from './run-command.ts';

export const authorities = createAuthorities();
export const { platformIssuer, customerRoot } = authorities;

export interface Received {
  readonly method: string;
  readonly url: string;
  /** Names in lower case; in the order in which they came. */
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Buffer;
}

export interface Listening {
  readonly port: number;
  readonly received: Received[];
}

export type Answering = (request: Received, response: ServerResponse) => void;

function certificateFor(...names: string[]): IssuedCertificate {
  return customerRoot.issue({ commonName: names[0] ?? '', names, usage: 'server' });
}

/** Asks for a client certificate and takes any. Gone with the test. */
export async function listen(answer: Answering, options: ServerOptions = {}): Promise<Listening> {
  const { certificate, privateKey } = certificateFor('localhost');
  const received: Received[] = [];
  const server = createServer(
    { cert: certificate, key: privateKey, requestCert: true, rejectUnauthorized: false, ...options },
    (request, response) => void take(request, response),
  );
  async function take(request: IncomingMessage, response: ServerResponse) {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { method = '', url = '', rawHeaders } = request;
    const headers = rawHeaders.flatMap((name, index) =>
      index % 2 === 0 ? [[name.toLowerCase(), rawHeaders[index + 1] ?? ''] as const] : [],
    );
    const one = { method, url, headers, body: Buffer.concat(chunks) };
    received.push(one);
    answer(one, response);
  }
  return { port: await listening(server), received };
}

/** The port. Gone with the test. */
export async function listening(server: Server | PlainServer) {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', () => done()));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** A folder with the identity `platform`, which may be presented to those ports of localhost. Gone with the test. */
export function directoryFor(...ports: readonly number[]): string {
  const folder = privateFolder();
  const destinations = ports.map((port) => ({
    host: 'localhost',
    port,
    network: 'loopback',
    serverRoots: customerRoot.certificate,
  }));
  writeIdentity(
    folder.path,
    'platform',
    platformIssuer.issue({ commonName: 'platform', usage: 'client' }),
    destinations,
  );
  return folder.path;
}

/** The command while it runs. Killed with the test at the latest. */
export function startCommand(args: readonly string[], cwd = root): { child: ChildProcess; ended: Promise<unknown[]> } {
  const env = { PATH: process.env.PATH ?? '', AWS_EC2_METADATA_DISABLED: 'true' };
  const child = spawn(process.execPath, [mainFile, ...args], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(child, 'close');
  onTestFinished(() => void child.kill('SIGKILL'));
  return { child, ended };
}

/** Of AWS's own documentation. */
export const account = {
  AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE',
  AWS_SECRET_ACCESS_KEY: 'example/secret/word',
  AWS_REGION: 'eu-central-1',
};

/** A listener to which nothing should be sent; `seen` has what arrived. */
export async function forbiddenListener(): Promise<{ readonly port: number; readonly seen: readonly string[] }> {
  const seen: string[] = [];
  const server = createPlainServer(({ headers }, response) => {
    seen.push(headers.authorization ?? '');
    response.writeHead(400).end();
  });
  return { port: await listening(server), seen };
}
