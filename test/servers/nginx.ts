// nginx: a server block for each listener.
import {
  ciphersOf,
  clientSignaturesOf,
  filesOf,
  type Listener,
  portsOf,
  programOf,
  type RealServer,
  versionOf,
} from './listener.ts';
import { accepting, type Folder } from './resources.ts';

export const nginx: RealServer = {
  title: 'nginx',
  needs: ['nginx'],
  version: () => versionOf('nginx', ['-v']),
  conditions: ['clock', 'depth', 'lookUp', 'misdirected', 'p256Only', 'sha1', 'strictName'],
  async start(listeners, resources) {
    const folder = resources.folder();
    const configuration = `
      daemon off;
      master_process off;
      pid nginx.pid;
      error_log stderr info;
      events { worker_connections 256; }
      http {
        access_log off;
        client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
        uwsgi_temp_path uwsgi; scgi_temp_path scgi;
        ${listeners.map((listener) => block(listener, folder)).join('\n')}
      }`;
    const args = ['-p', folder.path, '-e', 'stderr', '-c', folder.write('nginx.conf', configuration)];
    const program = resources.start(programOf('nginx'), args, { cwd: folder.path });
    await accepting(program, portsOf(listeners));
  },
};

function block(listener: Listener, folder: Folder): string {
  const { chain, key, roots, revoked } = filesOf(folder, listener);
  const { port, depth = 3, p256Only, strictName, lookUp } = listener;
  const signatures = clientSignaturesOf(listener);
  // The first block of a port answers the names that no other has.
  const others = strictName ? `server { listen 127.0.0.1:${port} ssl; ssl_reject_handshake on; }` : '';
  return `${others}
  server {
    listen 127.0.0.1:${port} ssl;
    ${strictName ? `server_name ${strictName};` : ''}
    ssl_certificate ${chain};
    ssl_certificate_key ${key};
    ssl_protocols ${listener.protocol};
    ssl_ciphers ${ciphersOf(listener)};
    ${roots ? `ssl_verify_client on; ssl_verify_depth ${depth}; ssl_client_certificate ${roots};` : ''}
    ${revoked ? `ssl_crl ${revoked};` : ''}
    ${signatures ? `ssl_conf_command ClientSignatureAlgorithms ${signatures};` : ''}
    ${p256Only ? 'ssl_ecdh_curve prime256v1;' : ''}
    ${lookUp ? `ssl_ocsp leaf; ssl_ocsp_responder http://${lookUp}/;` : ''}
    location / { return 200 "granted\\n"; }
    location = /misdirected { return 421; }
  }`;
}
