// The stand-in EST server enrols strongSwan's client, and our client sends the same requests.
import { spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readCertificateRequest } from '../../../core/x509/certificate.ts';
import { type EstRequest, startEstServer } from '../../support/issuers/est-server.ts';
import { enrolled, orderOf, user } from '../../support/issuers/orders.ts';
import { findLibrary, findPeer } from '../../support/peers.ts';
import { privateFolder } from '../../support/program.ts';

const pki = findPeer('pki');
const names = ['dns:bot.example'];

const missing = !pki || !findLibrary('strongswan-openssl') || !findPeer('openssl');

describe.skipIf(missing)(
  'EST as strongSwan speaks it (needs strongswan-pki with its plugin for OpenSSL, and openssl)',
  () => {
    it('strongSwan enrols and renews at the stand-in, and what ours sends is the same, field by field', async () => {
      const server = await startEstServer({ user, lines: false });
      const folder = privateFolder();
      const roots = ['--url', server.url, '--cacert', folder.write('root.pem', server.root.certificate)];

      await strongSwan(['--estca', ...roots, '--caout', join(folder.path, 'ca'), '--outform', 'pem']);
      const authorities = ['ca.pem', 'ca-1.pem'].map((file) => readFileSync(join(folder.path, file)));
      expect(authorities.map((pem) => new X509Certificate(pem).subject).sort()).toEqual([
        'CN=EST issuer',
        'CN=EST root',
      ]);
      const first = await orderOf({ names });
      const certificate = await strongSwan([
        ...['--est', ...roots, '--in', folder.write('first.pem', first.certificateRequest)],
        ...['--userpass', `${user.name}:${user.password}`, '--outform', 'pem'],
      ]);
      const current = new X509Certificate(certificate);
      const second = await orderOf({ names });
      const renewed = await strongSwan([
        ...['--est', ...roots, '--cacert', folder.write('issuer.pem', server.issuer.certificate)],
        ...['--in', folder.write('second.pem', second.certificateRequest), '--outform', 'pem'],
        ...['--cert', folder.write('old.pem', certificate), '--key', folder.write('old.key', first.privateKey)],
      ]);
      expect(new X509Certificate(renewed).subject).toBe(current.subject);
      const theirs = server.requests.splice(0).map(shapeOf);

      const ours = await enrolled(server, await orderOf({ names }), user);
      await enrolled(server, await orderOf({ current: ours.current }), user);
      const [cacerts, enrol, cacertsAgain, renew] = server.requests.map(shapeOf);
      expect([cacerts, enrol, renew]).toEqual(theirs);
      // They have a command of its own for the authorities; ours asks before each order.
      expect(cacertsAgain).toEqual(cacerts);
    });

    it('strongSwan waits out a 202 of the stand-in, as ours does', async () => {
      const pending = { status: 202, headers: { 'retry-after': '1' } };
      const server = await startEstServer({ user, lines: false, firstAnswers: [pending] });
      const folder = privateFolder();
      const { certificateRequest } = await orderOf({ names });
      const certificate = await strongSwan([
        ...['--est', '--url', server.url, '--cacert', folder.write('root.pem', server.root.certificate)],
        ...['--in', folder.write('request.pem', certificateRequest), '--outform', 'pem'],
        ...['--userpass', `${user.name}:${user.password}`, '--interval', '1'],
      ]);
      expect(new X509Certificate(certificate).issuer).toBe('CN=EST issuer');
      const [one, other] = server.requests;
      expect(server.requests).toHaveLength(2);
      expect(other).toEqual(one);
    });
  },
);

/** Everything that EST speaks of; `host`, `connection` and `accept` are HTTP's alone. */
function shapeOf({ method, path, headers, body, client }: EstRequest) {
  const request = readCertificateRequest(
    `-----BEGIN CERTIFICATE REQUEST-----\n${body}\n-----END CERTIFICATE REQUEST-----`,
  );
  return {
    method,
    path,
    contentType: headers['content-type'],
    contentTransferEncoding: headers['content-transfer-encoding'],
    transferEncoding: headers['transfer-encoding'],
    hasLength: headers['content-length'] === String(body.length),
    authorization: headers.authorization,
    isBase64InOneLine: /^[A-Za-z0-9+/]+=*$/.test(body),
    isSignedRequest: request?.isSigned,
    asksForNames: request?.alternativeNames?.toString('latin1'),
    client,
  };
}

/** What it printed; without the plugins it could not load. */
function strongSwan(args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(pki ?? 'pki', args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const printed: Buffer[] = [];
    let complaints = '';
    child.stdout.on('data', (chunk: Buffer) => printed.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => {
      complaints += chunk.toString();
    });
    child.once('error', reject);
    child.once('close', (status) => {
      if (status === 0) resolve(Buffer.concat(printed).toString());
      else reject(new Error(complaints.replace(/^plugin .*\n/gm, '')));
    });
  });
}
