// nginx as the customer's API: it completes the handshake with any client certificate and says in HTTP what it thinks of it.
import { createServer } from 'node:net';
import type { IssuedCertificate } from '../../local/authority/authority.ts';
import { findPeer } from './peers.ts';
import { accepting, type Program, privateFolder, startProgram } from './program.ts';

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

/** One process on one loopback port; `GET /` answers `granted`. */
export async function startNginx(server: IssuedCertificate, options: NginxOptions = {}): Promise<NginxServer> {
  const folder = privateFolder();
  folder.write('server.pem', server.certificate + server.intermediates);
  folder.write('key.pem', server.privateKey);
  folder.write('roots.pem', options.clientRoots ?? '');
  folder.write('revoked.pem', options.revoked ?? '');
  const port = await freePort();
  const configuration = `
    daemon off;
    master_process off;
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
  return { port, program };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (typeof address !== 'object' || !address) throw new Error('No free port.');
  return address.port;
}
