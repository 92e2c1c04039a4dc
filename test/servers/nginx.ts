// nginx: a server block for each listener.
import {
  ciphersOf,
  filesOf,
  type Listener,
  portsOf,
  programOf,
  type RealServer,
  rsaSignatures,
  versionOf,
} from './listener.ts';
import { accepting, type Folder } from './resources.ts';

export const nginx: RealServer = {
  title: 'nginx',
  needs: ['nginx'],
  version: () => versionOf('nginx', ['-v']),
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
  return `server {
    listen 127.0.0.1:${listener.port} ssl;
    ssl_certificate ${chain};
    ssl_certificate_key ${key};
    ssl_protocols ${listener.protocol};
    ssl_ciphers ${ciphersOf(listener)};
    ${roots ? `ssl_verify_client on; ssl_verify_depth 3; ssl_client_certificate ${roots};` : ''}
    ${revoked ? `ssl_crl ${revoked};` : ''}
    ${listener.rsaClientsOnly ? `ssl_conf_command ClientSignatureAlgorithms ${rsaSignatures};` : ''}
    location / { return 200 "granted\\n"; }
  }`;
}
