// nginx as the customer's API: it completes the handshake with any client certificate and says in HTTP what it thinks
// of it.
import { expect, onTestFinished } from 'vitest';
import type { IssuedCertificate } from '../../local/authority/authority.ts';
import { findPeer } from './peers.ts';
import { freePort } from './port.ts';
import { accepting, type Folder, type Program, privateFolder, startProgram } from './program.ts';

export interface NginxOptions {
  /** PEM: the authorities whose client certificates it accepts. */
  readonly clientRoots?: string;
  /** PEM: revocation lists, one for each authority of the client's chain. */
  readonly revoked?: string;
  /** Further directives of the server block. */
  readonly directives?: string;
}

export interface NginxServer {
  readonly port: number;
  readonly program: Program;
}

export interface ReloadableNginx extends NginxServer {
  /**
   * Other client roots, by SIGHUP; resolves when only workers that have read them are left (nginx.org: "Controlling
   * nginx").
   */
  trust(clientRoots: string): Promise<void>;
}

/** One process on one loopback port; `GET /` answers `granted`. */
export async function startNginx(server: IssuedCertificate, options: NginxOptions = {}): Promise<NginxServer> {
  return start(server, options, 'master_process off;');
}

/** A master and one worker, as nginx is deployed. */
export async function startReloadableNginx(
  server: IssuedCertificate,
  options: NginxOptions & { readonly clientRoots: string },
): Promise<ReloadableNginx> {
  // The worker keeps the rights of the master, or it could not read a folder that is private to that.
  const nginx = await start(server, options, process.getuid?.() === 0 ? 'user root;' : '');
  const { child, output } = nginx.program;
  const exits = () => output().match(/worker process \d+ exited with code 0/g)?.length ?? 0;
  onTestFinished(async () => {
    // Killed, the master would leave its worker behind.
    const ended = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGTERM');
    await ended;
  });
  return {
    ...nginx,
    async trust(clientRoots) {
      const before = exits();
      nginx.folder.write('roots.pem', clientRoots);
      child.kill('SIGHUP');
      await expect.poll(exits, { timeout: 20_000 }).toBe(before + 1);
    },
  };
}

async function start(
  server: IssuedCertificate,
  options: NginxOptions,
  processes: string,
): Promise<NginxServer & { readonly folder: Folder }> {
  const folder = privateFolder();
  folder.write('server.pem', server.certificate + server.intermediates);
  folder.write('key.pem', server.privateKey);
  folder.write('roots.pem', options.clientRoots ?? '');
  folder.write('revoked.pem', options.revoked ?? '');
  const port = await freePort();
  const configuration = `
    daemon off;
    ${processes}
    pid nginx.pid;
    error_log stderr info;
    events { worker_connections 64; }
    http {
      access_log off;
      client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
      uwsgi_temp_path uwsgi; scgi_temp_path scgi;
      server {
        listen 127.0.0.1:${port} ssl;
        ssl_certificate server.pem;
        ssl_certificate_key key.pem;
        ssl_protocols TLSv1.2 TLSv1.3;
        ${options.clientRoots ? 'ssl_client_certificate roots.pem; ssl_verify_client on;' : ''}
        ${options.revoked ? 'ssl_crl revoked.pem;' : ''}
        ${options.directives ?? ''}
        location / { return 200 "granted\\n"; }
      }
    }`;
  const args = ['-p', folder.path, '-e', 'stderr', '-c', folder.write('nginx.conf', configuration)];
  const program = startProgram(findPeer('nginx') ?? 'nginx', args, folder.path);
  await accepting(program, port);
  return { port, program, folder };
}
