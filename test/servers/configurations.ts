// How each configuration of docs/customers.md is run: the file around it, and how port and loopback are set.
import { execFileSync } from 'node:child_process';
import type { Peer } from '../support/peers.ts';
import { freePort } from '../support/port.ts';
import { modules } from './apache.ts';
import { gnutls } from './gnutls.ts';
import { buildGo } from './go.ts';
import { lighttpd } from './lighttpd.ts';
import { programOf } from './listener.ts';
import { startInside } from './namespace.ts';
import { blocksOf, localize, type Place } from './page-blocks.ts';
import { accepting, type Folder, type Resources } from './resources.ts';
import { prepareTomcat } from './tomcat.ts';

export interface Configuration {
  readonly needs: readonly Peer[];
  readonly missing?: () => string | undefined;
  start(place: Place, folder: Folder, resources: Resources): Promise<void>;
}

interface Started {
  readonly command: Peer | 'node';
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export const configurations: Readonly<Record<string, Configuration>> = {
  nginx: run(['nginx'], (place, { path, write }) => {
    const block = localize(only('nginx'), place, 'listen 443', `listen 127.0.0.1:${place.port}`);
    const http = `access_log off; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
      uwsgi_temp_path uwsgi; scgi_temp_path scgi;`;
    const text = `daemon off; master_process off; pid nginx.pid; error_log stderr info;
      events { worker_connections 64; } http { ${http} ${block} }`;
    return { command: 'nginx', args: ['-p', path, '-e', 'stderr', '-c', write('nginx.conf', text)] };
  }),

  apache: run(['apache2'], (place, { path, write }) => {
    const address = `127.0.0.1:${place.port}`;
    const host = localize(only('apache'), place, '<VirtualHost *:443>', `Listen ${address}\n<VirtualHost ${address}>`);
    const loaded = ['mpm_event', 'authz_core', 'ssl', 'headers', 'proxy', 'proxy_http'].map(
      (name) => `LoadModule ${name}_module ${modules}/mod_${name}.so`,
    );
    const text = `ServerRoot ${path}\nServerName localhost\nPidFile httpd.pid\nErrorLog error.log\nMutex posixsem
DefaultRuntimeDir ${path}\n${loaded.join('\n')}
${process.getuid?.() === 0 ? 'User www-data\nGroup www-data' : ''}\n${host}`;
    return { command: 'apache2', args: ['-X', '-f', write('httpd.conf', text)] };
  }),

  haproxy: run(['haproxy'], (place, { write }) => {
    const text = localize(only('haproxy'), place, 'bind :443', `bind 127.0.0.1:${place.port}`);
    return { command: 'haproxy', args: ['-db', '-f', write('haproxy.cfg', text)] };
  }),

  caddy: run(['caddy'], (place, { path, write }) => {
    const site = localize(
      only('caddy'),
      place,
      'api.acme.example {',
      `https://localhost:${place.port} {\n  bind 127.0.0.1`,
    );
    const text = `{\n  admin off\n  auto_https off\n}\n${site}`;
    return {
      command: 'caddy',
      args: ['run', '--adapter', 'caddyfile', '--config', write('Caddyfile', text)],
      env: { HOME: path, XDG_DATA_HOME: path, XDG_CONFIG_HOME: path },
    };
  }),

  stunnel: run(['stunnel4'], (place, { write }) => {
    const service = localize(only('stunnel'), place, 'accept = 443', `accept = 127.0.0.1:${place.port}`);
    return {
      command: 'stunnel4',
      args: [write('stunnel.conf', `foreground = yes\npid =\nsyslog = no\n${service}`)],
    };
  }),

  lighttpd: {
    ...run(['lighttpd'], async (place, { path, write }) => {
      const block = localize(only('lighttpd'), place, '":443"', `"127.0.0.1:${place.port}"`);
      const around = `server.document-root = "${path}"\nserver.bind = "127.0.0.1"\nserver.port = ${await freePort()}\n`;
      return { command: 'lighttpd', args: ['-D', '-f', write('lighttpd.conf', around + block)] };
    }),
    ...(lighttpd.missing ? { missing: lighttpd.missing } : {}),
  },

  xml: run(['catalina.sh', 'java', 'keytool', 'openssl'], (place, folder) => {
    makeStores(place);
    const connector = localize(only('xml'), place, 'port="443"', `port="${place.port}" address="127.0.0.1"`);
    prepareTomcat(folder, connector);
    return { command: 'catalina.sh', args: ['run'], env: { CATALINA_BASE: folder.path } };
  }),

  java: {
    needs: ['java', 'javac', 'keytool', 'openssl'],
    async start(place, folder, resources) {
      makeStores(place);
      const [, , start = ''] = blocksOf('sh');
      const program = localize(
        only('java'),
        place,
        'new InetSocketAddress(443)',
        `new InetSocketAddress("127.0.0.1", ${place.port})`,
      );
      folder.write('Api.java', program);
      const command = localize(start, { ...place, compares: false }, 'java -D', 'exec java -D');
      await accepting(resources.start('/bin/sh', ['-c', command], { cwd: folder.path }), [place.port]);
    },
  },

  go: run(['go'], (place, folder) => {
    const source = folder.write('main.go', localize(only('go'), place, '":443"', `"127.0.0.1:${place.port}"`));
    return { command: 'go', args: [buildGo(source, folder)] };
  }),

  js: run([], (place, { write }) => {
    const program = localize(only('js'), place, 'server.listen(443)', `server.listen(${place.port}, '127.0.0.1')`);
    return { command: 'node', args: [write('server.mjs', program)] };
  }),

  openssl: run(['openssl'], (place) => {
    const line = localize(only('openssl'), place, '-accept 443', `-accept 127.0.0.1:${place.port}`);
    return { command: 'openssl', args: line.trim().split(' ').slice(1) };
  }),

  gnutls: {
    needs: gnutls.needs,
    ...(gnutls.missing ? { missing: gnutls.missing } : {}),
    async start(place, folder, resources) {
      const line = localize(only('gnutls'), place, '--port 443', `--port ${place.port}`);
      await startInside(
        [{ port: place.port, command: [programOf('gnutls-serv'), ...line.trim().split(' ').slice(1)] }],
        folder,
        resources,
      );
    },
  },
};

function makeStores(place: Place): void {
  const [, stores = ''] = blocksOf('sh');
  execFileSync('/bin/sh', ['-ec', localize(stores, { ...place, compares: false }, 'pkcs12', 'pkcs12')], {
    stdio: 'pipe',
  });
}

function run(
  needs: readonly Peer[],
  write: (place: Place, folder: Folder) => Started | Promise<Started>,
): Configuration {
  return {
    needs,
    async start(place, folder, resources) {
      const { command, args, env } = await write(place, folder);
      // Go builds a standalone program.
      const [path, rest] = command === 'go' ? [args[0] as string, []] : [pathOf(command), args];
      const program = resources.start(path, rest, { cwd: folder.path, ...(env ? { env } : {}) });
      await accepting(program, [place.port]);
    },
  };
}

function pathOf(command: Peer | 'node'): string {
  return command === 'node' ? process.execPath : programOf(command);
}

function only(language: string): string {
  const [block, ...more] = blocksOf(language);
  if (!block || more.length > 0) throw new Error(`There must be one ${language} block in docs/customers.md.`);
  return block;
}
