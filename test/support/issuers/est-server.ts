// A stand-in for an EST server, after the letter of RFC 7030 and RFC 8951: it is ours, so a client that is not holds it
// to them.
import { execFileSync } from 'node:child_process';
import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { onTestFinished } from 'vitest';
import { type Authority, createAuthority } from '../../../local/authority/authority.ts';
import { findPeer } from '../peers.ts';
import { type Folder, privateFolder } from '../program.ts';

export interface EstRequest {
  readonly method: string;
  readonly path: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Common name of the client certificate, whether it was trusted or not. */
  readonly client: string | undefined;
  /** Its subject alternative names, as OpenSSL prints them. */
  readonly clientNames: string;
}

export interface EstAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface EstServerOptions {
  readonly label?: string;
  readonly user?: { readonly name: string; readonly password: string };
  /** Taken off and given to enrolments and renewals, as long as there are any. */
  readonly firstAnswers?: EstAnswer[];
  /** Base64 in lines of 64 characters (RFC 7030 has it so), or in one (RFC 8951 allows it). */
  readonly lines?: boolean;
  /** The handshake requires a trusted client certificate. */
  readonly demandsCertificate?: boolean;
  /** Further certificates in the answers to cacerts, PEM. */
  readonly furtherAuthorities?: string;
}

export interface EstServer {
  readonly url: string;
  readonly root: Authority;
  readonly issuer: Authority;
  readonly requests: EstRequest[];
}

/** Stopped with the test. It needs openssl, which reads the requests, signs, and writes the PKCS#7. */
export async function startEstServer(options: EstServerOptions = {}): Promise<EstServer> {
  const root = createAuthority({ commonName: 'EST root' });
  const issuer = root.intermediate({ commonName: 'EST issuer' });
  const own = issuer.issue({ commonName: 'localhost', names: ['localhost', '127.0.0.1'], usage: 'server' });
  const requests: EstRequest[] = [];
  const folder = privateFolder();
  const server = createServer(
    {
      key: own.privateKey,
      cert: own.certificate + own.intermediates,
      ca: root.certificate,
      requestCert: true,
      rejectUnauthorized: options.demandsCertificate ?? false,
    },
    async (incoming, outgoing) => {
      const request = await read(incoming);
      requests.push(request);
      const isTrusted = (incoming.socket as TLSSocket).authorized;
      const {
        status,
        headers = {},
        body = '',
      } = (request.method === 'POST' && options.firstAnswers?.shift()) ||
      answer(request, isTrusted, { options, root, issuer, folder });
      // With its length: strongSwan's client reads no chunks.
      outgoing.writeHead(status, { ...headers, 'content-length': String(Buffer.byteLength(body)) });
      outgoing.end(body);
    },
  );
  server.on('tlsClientError', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `https://localhost:${(server.address() as AddressInfo).port}`, root, issuer, requests };
}

async function read(incoming: IncomingMessage): Promise<EstRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const peer = (incoming.socket as TLSSocket).getPeerCertificate();
  return {
    method: incoming.method ?? '',
    path: incoming.url ?? '',
    headers: Object.fromEntries(Object.entries(incoming.headers).map(([name, value]) => [name, String(value)])),
    body: Buffer.concat(chunks).toString('latin1'),
    client: peer?.subject ? String(peer.subject.CN) : undefined,
    clientNames: peer?.subjectaltname ?? '',
  };
}

interface Service {
  readonly options: EstServerOptions;
  readonly root: Authority;
  readonly issuer: Authority;
  readonly folder: Folder;
}

function answer(request: EstRequest, isTrusted: boolean, service: Service): EstAnswer {
  const { options, root, issuer } = service;
  const [, operation = ''] = /^\/\.well-known\/est\/(.+)$/.exec(request.path) ?? [];
  const asked = options.label === undefined ? operation : operation.replace(`${options.label}/`, '');
  if (options.label !== undefined && asked === operation) return { status: 404 };
  if (asked === 'cacerts') {
    // Section 4.1: a GET without authentication.
    if (request.method !== 'GET') return { status: 405 };
    return pkcs7(service, issuer.certificate + root.certificate + (options.furtherAuthorities ?? ''));
  }
  if (asked !== 'simpleenroll' && asked !== 'simplereenroll') return { status: 404 };
  if (request.method !== 'POST') return { status: 405 };
  if (request.headers['content-type'] !== 'application/pkcs10') return { status: 415 };
  if (!isTrusted && !(asked === 'simpleenroll' && hasPassword(request, options))) {
    return { status: 401, headers: { 'www-authenticate': 'Basic realm="est"' } };
  }
  return enrol(request, asked, service);
}

/** Section 3.2.3. */
function hasPassword({ headers }: EstRequest, { user }: EstServerOptions): boolean {
  const expected = user && `Basic ${Buffer.from(`${user.name}:${user.password}`).toString('base64')}`;
  return expected !== undefined && headers.authorization === expected;
}

function enrol(request: EstRequest, operation: string, service: Service): EstAnswer {
  const { folder, issuer } = service;
  const text = `-----BEGIN CERTIFICATE REQUEST-----\n${request.body.replace(/\s/g, '').replace(/.{1,64}/g, '$&\n')}-----END CERTIFICATE REQUEST-----\n`;
  const csr = folder.write('request.pem', text);
  try {
    const asked = openssl(folder, ['req', '-in', csr, '-verify', '-noout', '-text', '-nameopt', 'RFC2253']);
    if (operation === 'simplereenroll' && !hasNamesOf(request, asked)) return { status: 400 };
  } catch {
    return { status: 400 };
  }
  const extensions = folder.write('extensions', 'extendedKeyUsage=clientAuth\nkeyUsage=critical,digitalSignature\n');
  const signer = [
    ...['-CA', folder.write('issuer.pem', issuer.certificate)],
    ...['-CAkey', folder.write('issuer.key', issuer.privateKey)],
  ];
  const options = ['-copy_extensions', 'copy', '-extfile', extensions, '-days', '400'];
  return pkcs7(service, openssl(folder, ['x509', '-req', '-in', csr, ...signer, ...options]));
}

/** Section 4.2.2: subject and alternative names of a renewal are those of the certificate it is asked for with. */
function hasNamesOf({ client, clientNames }: EstRequest, asked: string): boolean {
  const [, subject = ''] = /Subject: (.*)/.exec(asked) ?? [];
  const [, names = ''] = /Subject Alternative Name:\s+(.*)/.exec(asked) ?? [];
  return subject.split(',').includes(`CN=${client}`) && names === clientNames;
}

function pkcs7({ folder, options }: Service, certificates: string): EstAnswer {
  const file = folder.write('certificates.pem', certificates);
  const text = openssl(folder, ['crl2pkcs7', '-nocrl', '-certfile', file]);
  const base64 = text.replace(/-----[^-]+-----\n/g, '');
  return {
    status: 200,
    headers: { 'content-type': 'application/pkcs7-mime; smime-type=certs-only' },
    body: options.lines === false ? base64.replace(/\s/g, '') : base64.replaceAll('\n', '\r\n'),
  };
}

function openssl(folder: Folder, args: readonly string[]): string {
  return execFileSync(findPeer('openssl') ?? 'openssl', args, { cwd: folder.path, encoding: 'utf8', stdio: 'pipe' });
}
