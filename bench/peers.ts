// The peers of the programs under measurement: nginx that demands a client certificate, and the local Secrets Manager.
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createAuthority, type IssuedCertificate } from '../local/authority/authority.ts';
import { startSecretsManager } from '../local/secrets-manager/server.ts';
import { findPeer } from '../test/support/peers.ts';
import { connects, freePort } from '../test/support/port.ts';

export interface Peers {
  readonly url: string;
  readonly secretsUrl: string;
  /** The identity document of one more certificate by the platform's issuer. */
  document(commonName: string): string;
  close(): Promise<void>;
}

/** An answer of the size that a bot reads: an account, its balance, a few bookings. */
const answer = JSON.stringify({
  account: 'DE02100100100006820101',
  balance: '1234.56',
  currency: 'EUR',
  bookings: Array.from({ length: 10 }, (_, n) => ({ id: n, amount: `-${n}.99`, text: `Booking number ${n}` })),
});

export async function startPeers(folder: string): Promise<Peers> {
  const nginx = findPeer('nginx');
  if (!nginx) throw new Error('The benchmark needs nginx: apt-get install nginx');
  const platform = createAuthority({ commonName: 'Platform Root' });
  const issuer = platform.intermediate({ commonName: 'Platform Issuer' });
  const customer = createAuthority({ commonName: 'Customer Root' });
  const port = await freePort();
  const stopNginx = await startNginx(nginx, join(folder, 'nginx'), port, {
    server: customer.issue({ commonName: 'api', names: ['localhost'], usage: 'server' }),
    clientRoot: platform.certificate,
  });
  const secrets = await startSecretsManager({ folder: join(folder, 'secrets'), port: 0 });
  return {
    url: `https://localhost:${port}/v1/accounts/1/balance?currency=EUR`,
    secretsUrl: secrets.url,
    document(commonName) {
      const issued = issuer.issue({ commonName, usage: 'client' });
      return JSON.stringify({
        privateKey: issued.privateKey,
        certificate: issued.certificate,
        intermediateCertificates: issued.intermediates,
        rootCertificate: issued.root,
        destinations: [{ host: 'localhost', port, network: 'loopback', serverRoots: customer.certificate }],
      });
    },
    async close() {
      await secrets.close();
      await stopNginx();
    },
  };
}

interface NginxIdentity {
  readonly server: IssuedCertificate;
  readonly clientRoot: string;
}

async function startNginx(program: string, folder: string, port: number, identity: NginxIdentity) {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const file = (name: string, text: string) => {
    const path = join(folder, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  const configuration = file(
    'nginx.conf',
    `daemon off; pid ${join(folder, 'pid')}; error_log stderr warn; worker_processes 1; worker_rlimit_nofile 19000;
    ${process.getuid?.() === 0 ? 'user root;' : ''}
    events { worker_connections 18000; }
    http {
      access_log off; keepalive_requests 100000000; keepalive_timeout 3600;
      client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/fastcgi;
      uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
      server {
        listen 127.0.0.1:${port} ssl backlog=4096; ssl_protocols TLSv1.2 TLSv1.3;
        ssl_certificate ${file('server.pem', identity.server.certificate)};
        ssl_certificate_key ${file('server.key', identity.server.privateKey)};
        ssl_client_certificate ${file('clients.pem', identity.clientRoot)};
        ssl_verify_client on; ssl_verify_depth 3;
        location / { default_type application/json; return 200 '${answer}'; }
      }
    }`,
  );
  const child = spawn(program, ['-c', configuration, '-e', 'stderr'], { stdio: ['ignore', 'inherit', 'inherit'] });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  await accepting(port);
  return async () => {
    child.kill('SIGQUIT');
    const hard = setTimeout(() => child.kill('SIGTERM'), 2_000);
    await ended;
    clearTimeout(hard);
  };
}

/** Waits until a program listens on the port. Throws after 20 s. */
export async function accepting(port: number): Promise<void> {
  for (let tries = 0; tries < 400; tries++) {
    if (await connects(port)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`Nothing listens on port ${port}.`);
}
