// `countersign identity trust-pack`: each file is read by common programs, and a real nginx accepts the identity.
import { execFileSync, spawnSync } from 'node:child_process';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createAuthority } from '../../../local/authority/authority.ts';
import {
  authorities,
  contentsOf,
  expired,
  type Ground,
  ground,
  issue,
  neverPrint,
} from '../../support/cli/identity-ground.ts';
import { mainFile, runCommand } from '../../support/cli/run-command.ts';
import { element, oid, sequence } from '../../support/import/encoded.ts';
import { findPeer, type Peer } from '../../support/peers.ts';
import { freePort } from '../../support/port.ts';
import { accepting, startProgram } from '../../support/program.ts';

const { customerRoot } = authorities;

const certificateFileNames = [
  'chain.p7b',
  'chain.pem',
  'client.cer',
  'client.pem',
  'platform-intermediate-1.cer',
  'platform-intermediates.pem',
  'platform-root.cer',
  'platform-root.pem',
];
const serverFileNames = [
  'Api.java',
  'Caddyfile',
  'apache.conf',
  'api.go',
  'api.mjs',
  'haproxy.cfg',
  'lighttpd.conf',
  'nginx.conf',
  'stunnel.conf',
  'tomcat-connector.xml',
  'try-gnutls.sh',
  'try-openssl.sh',
];

async function packOf(on: Ground, args: readonly string[] = []) {
  const out = join(on.folder.path, 'pack');
  const ran = await on.json(['trust-pack', 'acme', '--out', out, ...args]);
  return { ...ran, out, read: (name: string) => readFileSync(join(out, name), 'utf8') };
}

/** Runs it, and returns both of its streams; throws where it does not end with 0. */
function run(peer: Peer, args: readonly string[], cwd: string): string {
  const { status, stdout, stderr } = spawnSync(findPeer(peer) ?? peer, args, { cwd, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${peer} ${args.join(' ')}: ${stdout}${stderr}`);
  return stdout + stderr;
}

describe('a trust pack', () => {
  it('contains the chain in every format, the configurations for the first single host, and a page', async () => {
    const on = ground();
    const issued = issue();
    on.put('acme', issued, [{ host: '*.acme.example' }, { host: 'api.acme.test', port: 8443 }]);
    const { code, answer, out, read } = await packOf(on);
    expect(code).toBe(0);
    const all = [
      'README.md',
      ...certificateFileNames,
      'for-your-server.md',
      ...serverFileNames.map((name) => `servers/${name}`),
    ].sort();
    expect(answer).toMatchObject({ outcome: 'written', out, files: all, next: null });
    expect(readdirSync(out).sort()).toEqual(
      ['README.md', ...certificateFileNames, 'for-your-server.md', 'servers'].sort(),
    );
    expect(readdirSync(join(out, 'servers')).sort()).toEqual([...serverFileNames].sort());
    expect(read('chain.pem')).toBe(issued.certificate + issued.intermediates + issued.root);
    expect(read('platform-root.pem')).toBe(issued.root);
    // It is to be given away: nothing secret is in it.
    expect(Object.values(contentsOf(out)).join('')).not.toContain('PRIVATE KEY');
    expect(statSync(out).mode & 0o755).toBe(0o755);

    const text = read('README.md');
    expect(text).toContain('https://api.acme.test:8443 ');
    for (const pem of [issued.certificate, issued.intermediates, issued.root]) {
      const { fingerprint256, validToDate } = new X509Certificate(pem);
      expect(text).toContain(`| SHA-256 | \`${fingerprint256}\` |`);
      expect(text).toContain(`**${validToDate.toISOString()}**`);
    }
    expect(text).not.toContain('next');
    // Every file that is there has its line.
    for (const name of certificateFileNames) expect(text).toContain(`| \`${name}\` | `);
    expect(read('servers/apache.conf')).toMatch(/^#.+\nListen 8443\n\n<VirtualHost \*:8443>/);
    expect(read('servers/Caddyfile')).toMatch(/^#.+\napi\.acme\.test:8443 \{/);
    expect(read('servers/nginx.conf')).toContain('listen 8443 ssl;\n  server_name api.acme.test;');
    for (const [name, content] of Object.entries(contentsOf(join(out, 'servers')))) {
      expect(content, name).not.toMatch(/acme\.example|\b443\b/);
    }
    // Each says first what it needs and where it goes, in a comment of its own language.
    for (const name of serverFileNames) {
      const opening = name.endsWith('.sh') ? /^#!\/bin\/sh\n# .*Needs / : /^(#|;|\/\/|<!--) (Goes|An example) .*Needs /;
      expect(read(`servers/${name}`), name).toMatch(opening);
    }
    // The page leads to nothing that the customer does not have.
    expect(read('for-your-server.md')).not.toMatch(/\]\((?!https:)/);
  });

  it('has a page that describes this pack', async () => {
    const on = ground();
    on.put('acme', issue(), [{ host: 'api.acme.test' }]);
    const { read } = await packOf(on);
    const page = read('for-your-server.md');
    expect(page).not.toMatch(
      /one PEM text|in the place of|servers\.md|two clouds below|trust-pack|Ask the platform for its text/,
    );
    for (const said of [
      '`platform-root.pem` is the **root**',
      'same configurations are in `servers/`',
      'README.md has its text',
    ]) {
      expect(page).toContain(said);
    }
    expect(read('README.md')).toContain('The fingerprint on this page proves nothing');
  });

  it('has the allowed subject in the notation of each server, and none if that is uncertain', async () => {
    const on = ground();
    const subjectOf = (...parts: readonly (readonly [string, string])[]) =>
      sequence(...parts.map(([type, value]) => element(0x31, sequence(oid(type), element(0x0c, Buffer.from(value))))));
    const packWith = async (name: string, subject: Buffer) => {
      const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
      neverPrint(key);
      const certified = authorities.platformIssuer.certify({ subject, publicKey, usage: 'client' });
      on.put(name, { privateKey: key, ...certified }, [{ host: 'api.acme.test' }]);
      const out = join(on.folder.path, `pack-${name}`);
      expect((await on.json(['trust-pack', name, '--out', out])).code).toBe(0);
      return (file: string) => readFileSync(join(out, file), 'utf8');
    };
    const [c, o, ou, cn] = ['2.5.4.6', '2.5.4.10', '2.5.4.11', '2.5.4.3'] as const;
    const read = await packWith('plain', subjectOf([o, 'Acme GmbH'], [c, 'DE'], [ou, 'Bots'], [cn, 'bot-1']));
    const [rfc, slashes] = ['CN=bot-1,OU=Bots,C=DE,O=Acme GmbH', '/O=Acme GmbH/C=DE/OU=Bots/CN=bot-1'];
    // Go sorts them.
    const go = 'CN=bot-1,OU=Bots,O=Acme GmbH,C=DE';
    for (const form of [rfc, slashes, go, 'bot-1']) expect(read('README.md')).toContain(` | \`${form}\` |`);
    expect(read('servers/nginx.conf')).toContain(`# if ($ssl_client_s_dn != "${rfc}") { return 403; }`);
    expect(read('servers/apache.conf')).toContain(`Require expr "%{SSL_CLIENT_S_DN} == '${rfc}'"`);
    expect(read('servers/Api.java')).toContain(`.equals("${rfc}")`);
    expect(read('servers/haproxy.cfg')).toContain(`-m str "${slashes}"`);
    for (const file of ['servers/Caddyfile', 'servers/api.go']) expect(read(file)).toContain(`!= "${go}"`);
    expect(read('servers/api.mjs')).toContain(`!== 'O=Acme GmbH\\nC=DE\\nOU=Bots\\nCN=bot-1'`);
    expect(read('servers/lighttpd.conf')).toContain('"user=bot-1"');
    expect(read('for-your-server.md')).not.toContain('bot-platform');

    const odd = await packWith('odd', subjectOf([o, 'Acme, Inc. "x" $y'], [cn, 'bot/2']));
    expect(odd('README.md')).not.toMatch(/^\| (HAProxy|Caddy, Go) \| `/m);
    for (const name of serverFileNames) {
      const text = odd(`servers/${name}`);
      expect(text).not.toMatch(/bot\/2|\$y|bot-platform/);
    }
    expect(odd('servers/nginx.conf')).toContain('# if ($ssl_client_s_dn != "THE SUBJECT AS THIS SERVER WRITES IT")');
  });

  it.each(['077', '000'])('is readable by every user and writable by its owner, with the umask %s', async (umask) => {
    const on = ground();
    on.put('acme', issue(), [{ host: 'api.acme.test' }]);
    const out = join(on.folder.path, 'pack');
    const script = [
      '-c',
      `umask ${umask}; exec "$0" "$@"`,
      process.execPath,
      mainFile,
      'identity',
      'trust-pack',
      'acme',
    ];
    expect((await runCommand([...script, '--out', out, '--source', on.source], { program: 'sh' })).code).toBe(0);
    const mode = (name: string) => statSync(join(out, name)).mode & 0o777;
    expect([mode(''), mode('servers'), mode('servers/try-openssl.sh')]).toEqual([0o755, 0o755, 0o755]);
    expect([mode('README.md'), mode('servers/nginx.conf'), mode('platform-root.pem')]).toEqual([0o644, 0o644, 0o644]);
  });

  it('contains names, ports and folders unchanged, whatever they contain', async () => {
    const on = ground();
    on.put('acme', issue());
    const args = ['--host', 'api-443.bücher.example:8443', '--files', '/srv/443/tls/', '--behind', '127.0.0.1:443'];
    const { code, read } = await packOf(on, args);
    expect(code).toBe(0);
    const nginx = read('servers/nginx.conf');
    expect(nginx).toContain('server_name api-443.xn--bcher-kva.example;');
    expect(nginx).toContain('listen 8443 ssl;');
    expect(nginx).toContain('ssl_certificate /srv/443/tls/server.pem;');
    expect(nginx).toContain('proxy_pass http://127.0.0.1:443;');
    expect(read('servers/lighttpd.conf')).toContain('"host" => "127.0.0.1", "port" => 443');
    expect(read('servers/haproxy.cfg')).toContain('server api 127.0.0.1:443\n');
  });

  it('is written only to a new or empty folder', async () => {
    const on = ground();
    on.put('acme', issue(), [{ host: 'api.acme.test' }]);
    const out = join(on.folder.path, 'pack');
    mkdirSync(out);
    writeFileSync(join(out, 'mine.txt'), 'mine');
    const before = contentsOf(on.folder.path);
    const full = await on.identity(['trust-pack', 'acme', '--out', out]);
    expect([full.code, full.out, full.error]).toEqual([
      1,
      '',
      `${out} is not empty. Name a folder that does not exist yet.\n`,
    ]);
    const file = await on.identity(['trust-pack', 'acme', '--out', join(out, 'mine.txt')]);
    expect([file.code, file.error]).toEqual([2, `${join(out, 'mine.txt')} is not a writable folder.\n`]);
    const below = await on.identity(['trust-pack', 'acme', '--out', join(out, 'mine.txt/pack')]);
    expect([below.code, below.error]).toEqual([2, expect.stringContaining('is not a writable folder.')]);
    expect(contentsOf(on.folder.path)).toEqual(before);
    const empty = join(on.folder.path, 'empty');
    mkdirSync(empty);
    expect(await on.identity(['trust-pack', 'acme', '--out', empty])).toMatchObject({ code: 0 });
    expect(existsSync(join(empty, 'README.md'))).toBe(true);
    expect(readdirSync(on.folder.path).sort()).toEqual(['empty', 'identities', 'pack']);
  });

  it('can be made for an expired identity, with a warning, and for no other unusable identity', async () => {
    const on = ground();
    on.put('acme', expired(), [{ host: 'api.acme.test' }]);
    const { code, error } = await packOf(on);
    expect([code, error]).toEqual([0, expect.stringMatching(/^warning: The identity cannot be used now: .*expired/)]);

    // Without its root the intermediate must not be taken for it.
    const other = ground();
    other.put('acme', issue(), [{ host: 'api.acme.test' }]);
    writeFileSync(join(other.directory, 'acme/root.pem'), '');
    const refused = await packOf(other);
    expect([refused.code, refused.answer.error.code]).toEqual([1, 'identity-unusable']);
    expect(existsSync(refused.out)).toBe(false);
    const { answer } = await other.json(['inspect', 'acme']);
    expect(answer.certificates.map(({ role }: { role: string }) => role)).toEqual(['client', 'intermediate']);
  });

  it.each([
    [[], 'The identity lists no single host. Name the server of the configurations with --host'],
    [['--host', '*.acme.test'], '--host must be the name or the IPv4 address of one host'],
    [['--host', 'a.test:70000'], '--host must be the name or the IPv4 address of one host'],
    [['--host', 'a.test;include', '--files', '/x'], '--host must be the name or the IPv4 address of one host'],
    [['--host=-x.test'], '--host must be the name or the IPv4 address of one host'],
    [['--host=-connect.test:443'], '--host must be the name or the IPv4 address of one host'],
    [['--host', '.a.test'], '--host must be the name or the IPv4 address of one host'],
    [['--host', 'a.test', '--behind=-x:8080'], '--behind must be host:port.'],
    [['--host', 'a.test', '--files', 'etc'], '--files must be the absolute path of a folder'],
    [['--host', 'a.test', '--files', '/etc/$(id)'], '--files must be the absolute path of a folder'],
    [['--host', 'a.test', '--behind', '8080'], '--behind must be host:port.'],
    [['--host', 'a.test', '--behind', 'a:99999'], '--behind must be host:port.'],
  ])('is rejected with %j', async (args, said) => {
    const on = ground();
    on.put('acme', issue(), [{ host: '*' }, { host: 'fd00::1' }]);
    const { code, answer } = await packOf(on, args);
    expect([code, answer.error.detail]).toEqual([2, expect.stringContaining(said)]);
  });
});

describe('a hostile subject', () => {
  const hostile = 'a`b|c\u001b[2Jd\ne <img src=x onerror=alert(1)> [x](http://evil.example) **g**';
  // What turns the direction of a text fits into no string but UTF-8.
  const commonName = sequence(oid('2.5.4.3'), element(0x0c, Buffer.from(`${hostile}\u202ef`)));
  const authority = createAuthority({ commonName: hostile });

  function hostileClient(usage: 'client' | 'server') {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    neverPrint(key);
    return {
      privateKey: key,
      ...authority.certify({ subject: sequence(element(0x31, commonName)), publicKey, usage }),
    };
  }

  it('is escaped for the terminal and in the page of a pack', async () => {
    const on = ground();
    const issued = hostileClient('client');
    const imported = await on.identity(['import', 'acme', on.pem('bot.pem', issued), '--destination', 'a.test']);
    expect(imported.code).toBe(0);
    const outputs = [
      imported,
      await on.identity(['list']),
      await on.identity(['inspect', 'acme']),
      await on.identity(['inspect', 'acme', '--json']),
      await on.identity(['import', 'acme', on.pem('2.pem', hostileClient('server')), '--replace']),
      await on.identity(['import', 'other', on.folder.write('3.pem', issued.privateKey + issued.certificate)]),
    ];
    const { out, read } = await packOf(on);
    outputs.push(await on.identity(['trust-pack', 'acme', '--out', `${out}-2`]));
    for (const { out: text, error } of outputs) {
      expect(text).not.toBe('');
      expect(text + error).not.toMatch(/[^\P{Cc}\n]|[\u202e]/u);
      // The line break in it begins no line.
      expect(text).not.toMatch(/^e/m);
    }
    const page = read('README.md');
    expect(page).not.toMatch(/[^\P{Cc}\n]|[\u202e]/u);
    const rows = page.split('\n').filter((line) => /^\| (subject|issuer) /.test(line));
    expect(rows).toHaveLength(4);
    // A cell, one code in it, and nothing that ends either.
    for (const row of rows) expect(row).toMatch(/^\| \w+ \| `[^`|]+` \|$/);
    // A reader of RFC 4514 gets the same name.
    expect(rows[0]).toContain('CN=a\\60b\\7Cc\\1B[2Jd\\0Ae');
  });
});

describe.skipIf(!findPeer('openssl'))('the certificates of a pack (needs openssl)', () => {
  it('are read by OpenSSL in PEM, DER and PKCS#7, and verify the client with the root', async () => {
    const on = ground();
    on.put('acme', issue(), [{ host: 'api.acme.test' }]);
    const { out } = await packOf(on);
    const openssl = (...args: readonly string[]) => run('openssl', args, out);
    const { fingerprint256 } = new X509Certificate(readFileSync(join(out, 'platform-root.pem')));
    for (const form of ['pem', 'cer']) {
      const args = ['-in', `platform-root.${form}`, '-inform', form === 'pem' ? 'PEM' : 'DER'];
      expect(openssl('x509', ...args, '-noout', '-fingerprint', '-sha256')).toContain(fingerprint256);
    }
    const subjects = openssl('pkcs7', '-inform', 'DER', '-in', 'chain.p7b', '-print_certs', '-noout');
    expect([...subjects.matchAll(/subject=CN ?= ?(.+)/g)].map(([, name]) => name).sort()).toEqual([
      'Platform Issuer',
      'Platform Root',
      'bot',
    ]);
    const chain = ['-CAfile', 'platform-root.pem', '-untrusted', 'platform-intermediates.pem'];
    expect(openssl('verify', '-purpose', 'sslclient', ...chain, 'client.pem')).toContain('client.pem: OK');
    // The line of the page, as it stands there.
    const [, line = ''] = /```sh\n\s*(openssl .+)\n/.exec(readFileSync(join(out, 'README.md'), 'utf8')) ?? [];
    expect(execFileSync('/bin/sh', ['-ec', line], { cwd: out, encoding: 'utf8' })).toContain(fingerprint256);
  });
});

describe.skipIf(!findPeer('keytool'))('the certificates of a pack in Java (needs keytool)', () => {
  it('are read by keytool in DER and in PKCS#7', async () => {
    const on = ground();
    on.put('acme', issue(), [{ host: 'api.acme.test' }]);
    const { out } = await packOf(on);
    const keytool = (...args: readonly string[]) =>
      run('keytool', ['-J-Xshare:auto', '-J-XX:TieredStopAtLevel=1', ...args], out);
    const printed = keytool('-printcert', '-file', 'chain.p7b');
    for (const name of ['bot', 'Platform Issuer', 'Platform Root']) expect(printed).toContain(`Owner: CN=${name}`);
    const store = ['-keystore', 'clients.p12', '-storetype', 'PKCS12', '-storepass', 'changeit'];
    keytool('-importcert', '-noprompt', '-alias', 'platform-root', '-file', 'platform-root.cer', ...store);
    expect(keytool('-list', ...store)).toContain('platform-root');
  });
});

/** What each program takes to read a configuration without running it, with what goes around it. */
const checks: Partial<
  Record<Peer, (text: string, write: (name: string, text: string) => string) => readonly string[]>
> = {
  haproxy: (text, write) => ['-c', '-f', write('haproxy.cfg', text)],
  apache2: (text, write) => {
    const modules = ['mpm_event', 'authz_core', 'ssl', 'headers', 'proxy', 'proxy_http'].map(
      (name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so\n`,
    );
    return ['-t', '-f', write('httpd.conf', `ServerName localhost\nErrorLog error.log\n${modules.join('')}${text}`)];
  },
  caddy: (text, write) => [
    'validate',
    '--adapter',
    'caddyfile',
    '--config',
    write('Caddyfile', `{\n  admin off\n  auto_https off\n}\n${text}`),
  ],
  lighttpd: (text, write) => ['-tt', '-f', write('lighttpd.conf', `server.document-root = "/tmp"\n${text}`)],
};
const files: Partial<Record<Peer, string>> = {
  haproxy: 'haproxy.cfg',
  apache2: 'apache.conf',
  caddy: 'Caddyfile',
  lighttpd: 'lighttpd.conf',
};

/** A customer's folder as the page of the pack says: the files of the pack beside those of the server. */
async function atCustomer(on: Ground) {
  const server = customerRoot.issue({ commonName: 'api', names: ['localhost'], usage: 'server' });
  const place = join(on.folder.path, 'ssl');
  mkdirSync(place, { mode: 0o711 });
  writeFileSync(join(place, 'server.pem'), server.certificate + server.intermediates);
  writeFileSync(join(place, 'server.key'), server.privateKey, { mode: 0o600 });
  writeFileSync(join(place, 'server-and-key.pem'), server.certificate + server.privateKey, { mode: 0o600 });
  const behind = createServer((_request, response) => response.end('granted\n'));
  await new Promise<void>((listening) => behind.listen(0, '127.0.0.1', listening));
  onTestFinished(() => {
    behind.closeAllConnections();
    behind.close();
  });
  const port = await freePort();
  const roots = { serverRoots: customerRoot.certificate, network: 'loopback', requireMutual: true };
  on.put('acme', issue(), [{ host: 'localhost', port, ...roots }]);
  const stranger = createAuthority({ commonName: 'Stranger Root' });
  on.put('stranger', issue('stranger', {}, stranger), [{ host: 'localhost', port, ...roots }]);
  const args = ['--files', place, '--behind', `127.0.0.1:${(behind.address() as AddressInfo).port}`];
  const pack = await packOf(on, args);
  expect(pack.code).toBe(0);
  writeFileSync(join(place, 'platform-root.pem'), pack.read('platform-root.pem'));
  return { ...pack, place, port };
}

const here = Object.keys(checks).filter((name) => findPeer(name as Peer)) as Peer[];

describe.skipIf(here.length < Object.keys(checks).length)(
  `the configurations of a pack (needs ${Object.keys(checks).join(', ')})`,
  () => {
    it('are accepted by their servers', async () => {
      const on = ground();
      const { read } = await atCustomer(on);
      for (const name of here) {
        const folder = join(on.folder.path, name);
        mkdirSync(folder);
        const write = (file: string, text: string) => {
          writeFileSync(join(folder, file), text);
          return join(folder, file);
        };
        const said = run(name, checks[name]?.(read(`servers/${files[name]}`), write) ?? [], folder);
        expect(said, name).not.toMatch(/\bwarning\b|\[WARNING\]/i);
      }
      expect(spawnSync(process.execPath, ['--check', join(on.folder.path, 'pack/servers/api.mjs')]).status).toBe(0);
    });
  },
);

describe.skipIf(!findPeer('nginx'))('nginx with the configuration of a pack (needs nginx)', () => {
  it('accepts only the identity of the pack', async () => {
    const on = ground();
    const { read, port, place } = await atCustomer(on);
    // Loopback alone, whatever a customer wants.
    const server = read('servers/nginx.conf').replace(`listen ${port} ssl`, `listen 127.0.0.1:${port} ssl`);
    expect(server).toContain(`listen 127.0.0.1:${port} ssl`);
    const folder = join(on.folder.path, 'nginx');
    mkdirSync(folder);
    chmodSync(place, 0o711);
    const paths = `client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
      uwsgi_temp_path uwsgi; scgi_temp_path scgi;`;
    const around = `daemon off; master_process off; pid nginx.pid; error_log stderr info;
      events { worker_connections 64; } http { access_log off; ${paths} ${server} }`;
    writeFileSync(join(folder, 'nginx.conf'), around);
    const nginx = findPeer('nginx') ?? 'nginx';
    const args = ['-p', folder, '-e', 'stderr', '-c', join(folder, 'nginx.conf')];
    await accepting(startProgram(nginx, args, folder), port);
    const diagnose = (identity: string) =>
      runCommand(['diagnose', `https://localhost:${port}`, '--identity', identity, '--source', on.source, '--json']);
    const granted = await diagnose('acme');
    expect([granted.code, JSON.parse(granted.out).verdict]).toEqual([0, 'access-granted']);
    const refused = await diagnose('stranger');
    expect([refused.code, JSON.parse(refused.out).verdict]).toEqual([1, 'access-refused']);
  });
});
