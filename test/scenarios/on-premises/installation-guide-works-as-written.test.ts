// docs/on-premises.md, "Install": runs each shell block in order, in an empty folder, with nginx as the API and OpenSSL
// as CA.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startNginx } from '../../support/nginx.ts';
import { findPeer } from '../../support/peers.ts';
import { freePort } from '../../support/port.ts';
import { privateFolder } from '../../support/program.ts';
import { createAuthorities } from '../../support/stage.ts';

const root = resolve(import.meta.dirname, '../../..');
const page = readFileSync(join(root, 'docs/on-premises.md'), 'utf8');
const guide = page.split('\n## Install\n')[1]?.split('\n## ')[0] ?? '';

/** In order, by heading. */
const steps = guide.split('\n### ').map((text) => ({
  title: text.split('\n')[0] as string,
  blocks: [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block]) => block as string),
}));

/** The CA: signs each new request, `server.csr` for a server. */
const authority = `
  [ -f authority/root.key ] || {
    mkdir authority
    openssl ecparam -name prime256v1 -genkey -noout -out authority/root.key
    openssl req -x509 -new -key authority/root.key -days 3650 -subj '/O=Acme/CN=Acme Root' -addext keyUsage=critical,keyCertSign -out root.pem
    openssl ecparam -name prime256v1 -genkey -noout -out authority/issuer.key
    printf 'basicConstraints=critical,CA:TRUE,pathlen:0\\nkeyUsage=critical,keyCertSign\\n' > authority/issuer.cnf
    openssl req -new -key authority/issuer.key -subj '/O=Acme/CN=Acme Issuer' |
      openssl x509 -req -CA root.pem -CAkey authority/root.key -CAcreateserial -days 1825 -extfile authority/issuer.cnf -out chain.pem
  }
  for request in *.csr; do
    name=\${request%.csr}
    [ -f "$request" ] && [ ! -f "$name.pem" ] || continue
    case $name in
      server) printf 'subjectAltName=DNS:localhost\\nextendedKeyUsage=serverAuth\\n' ;;
      *) printf 'keyUsage=critical,digitalSignature\\nextendedKeyUsage=clientAuth\\n' ;;
    esac > authority/leaf.cnf
    openssl x509 -req -in "$request" -CA chain.pem -CAkey authority/issuer.key -CAcreateserial -days 90 -extfile authority/leaf.cnf -out "$name.pem"
    [ $name != server ] || cat chain.pem >> server.pem
  done`;

/** User and group of the service, which need no names here. */
const other = 54_321;
const canBeOther = process.getuid?.() === 0 && spawnSync('setpriv', ['--version'], { stdio: 'ignore' }).status === 0;
const asOther = `setpriv --reuid ${other} --regid ${other} --clear-groups --`;
const asService = 'runuser -u countersign --';
const service = steps.find(({ title }) => title.endsWith('Keep it running'))?.blocks ?? [];

/** What systemd does with the unit: splits the options at blanks, and runs the command as the user, with its umask. */
const unit = readFileSync(join(root, 'deploy/countersign.service'), 'utf8');
const started = `
  . /etc/countersign/serve.env
  ( umask ${/^UMask=(\d+)$/m.exec(unit)?.[1]}
    exec ${asOther} ${/^ExecStart=(.+)$/m.exec(unit)?.[1]} ) > service.log 2>&1 &
  server=$!`;

/** Root changes files that the service uses. */
const changed = `
  countersign identity destinations platform add https://other.customer.example --no-reach --source directory:/etc/countersign/identities
  countersign identity rollback platform --yes --source directory:/etc/countersign/identities
  sleep 10
  countersign invoke https://api.customer.example/ --api https://countersign.acme.example:8443 --cacert root.pem --token-file token
  ${asOther} cat identities/platform/private-key.pem > /dev/null
  for mine in 'cat token' 'touch identities/mine' 'touch identities/platform/mine' 'ls identities/.countersign'
  do if ${asOther} $mine 2> /dev/null; then exit 1; fi
  done
  kill $server && wait $server
  if grep refresh.failed service.log; then exit 1; fi`;

const missing = (['nginx', 'openssl', 'curl'] as const).filter((peer) => !findPeer(peer));

describe.skipIf(missing.length > 0)('the installation guide (needs nginx, openssl and curl)', () => {
  it('works as written', { timeout: 150_000 }, async () => {
    const { output, here, blocks } = await follow([]);
    expect(blocks).toBeGreaterThan(10);
    const said = (text: string | RegExp) => output.match(new RegExp(text, 'gm'))?.length ?? 0;
    expect(said(/^\d+\.\d+\.\d+$/), 'the version').toBeGreaterThan(0);
    expect(said('access-granted  Access is granted.')).toBe(3);
    expect(said('Nothing is wrong.')).toBe(1);
    // With --api, doctor sees no destinations and tries none.
    expect(said(/^No failure was found\. No destination was tried: /)).toBe(1);
    expect(said(/^granted$/)).toBe(2);
    expect(output).toContain('"status":200');
    // The two diagnoses of the server presented two certificates.
    const versions = new Set([...output.matchAll(/ as platform, version (\w+)/g)].map(([, version]) => version));
    expect(versions.size, output).toBe(2);
    // The outputs that the guide shows, apart from numbers.
    const [checked, diagnosed] = [...guide.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)]
      .filter(([, language]) => language === '')
      .map(([, , block]) => block as string);
    const ours = numberless(output);
    for (const line of [...(checked ?? '').split('\n'), ...(diagnosed ?? '').split('\n')]) {
      const [shown = ''] = line
        .replaceAll('api.customer.example:443', 'api.customer.example')
        .split(/ 10\.20\.0\.7| {2}CN=| {2}issued by/);
      // Only root gets this hint.
      if (process.getuid?.() !== 0 && /user of the service|as that user/.test(line)) continue;
      expect(ours).toContain(numberless(here(shown).replace(asOther, asService)));
    }
  });

  it.skipIf(!canBeOther)(
    'sets up a service for another user, whose files root can change (needs root and setpriv)',
    { timeout: 150_000 },
    async () => {
      const [user, files, systemd, tried, ...more] = service;
      expect([user, systemd, more]).toEqual([
        expect.stringContaining('useradd'),
        expect.stringContaining('deploy/countersign.service'),
        [],
      ]);
      const { output, blocks } = await follow([files ?? '', started, tried ?? '', changed]);
      const own = output.split(`== block ${blocks - 3}\n`)[1] ?? '';
      expect(own.match(/Nothing is wrong\./g)).toHaveLength(1);
      expect(own).toContain('{"status":"ready"}');
      expect(own).toContain('access-granted  Access is granted.');
      expect(own).not.toContain('cannot read');
      expect(own).toMatch(/^granted$/m);
    },
  );

  it('counts its steps', () => {
    const numbers = steps.map(({ title }) => /^(\d+)\. /.exec(title)?.[1]).filter(Boolean);
    expect(numbers).toEqual(numbers.map((_, index) => String(index + 1)));
  });
});

/** Runs the guide without its first block and without the service, then the blocks of `last`. */
async function follow(last: readonly string[]) {
  const [download, ...all] = steps.flatMap(({ blocks }) => blocks);
  expect(download).toContain('npm ci');
  const others = [...all.filter((block) => !service.includes(block)), ...last];

  const folder = privateFolder();
  const etc = join(folder.path, 'etc/countersign');
  const bin = join(folder.path, 'bin');
  for (const path of [etc, bin]) mkdirSync(path, { recursive: true });
  // nginx needs the root before the guide creates it.
  const signing = `( cd ${etc}\n${authority} ) 2>&1`;
  await run(signing, bin);
  const customer = createAuthorities().customerRoot;
  const { port } = await startNginx(customer.issue({ commonName: 'api', names: ['localhost'], usage: 'server' }), {
    clientRoots: readFileSync(join(etc, 'root.pem'), 'utf8'),
    // The chain has an intermediate.
    directives: 'ssl_verify_depth 3;',
  });
  folder.write('etc/countersign/customer-root.pem', customer.certificate);
  const [plain, secure] = [await freePort(), await freePort()];

  /** Replaced here: paths, names and ports. Each must occur in the guide. */
  const places: readonly (readonly [string, string])[] = [
    ['/opt/countersign', root],
    ['/usr/local/bin', bin],
    ['/etc/countersign', etc],
    ['countersign.acme.example:8443', `localhost:${secure}`],
    ['api.customer.example', `localhost:${port}`],
    ['--network private', '--network loopback'],
    ['127.0.0.1:8080', `127.0.0.1:${plain}`],
    ['--callers callers.json > serve.log', `--callers callers.json --port ${plain} > serve.log`],
    ['--host 0.0.0.0 --port 8443', `--host 127.0.0.1 --port ${secure}`],
    ['chgrp countersign', `chgrp ${other}`],
    ['chgrp -R countersign', `chgrp -R ${other}`],
    [asService, asOther],
  ];
  const here = (block: string) => places.reduce((text, [there, instead]) => text.replaceAll(there, instead), block);
  for (const [there] of places) expect(all.join(''), there).toContain(there);

  const script = others.map((block, index) => `echo "== block ${index + 2}"\n${here(block)}\n${signing}`);
  const { code, output } = await run(script.join('\n'), bin);
  expect(output, output).toContain(`== block ${others.length + 1}`);
  expect(code, output).toBe(0);
  expect(secretsIn(output)).toEqual([]);
  return { output, here, blocks: others.length + 1 };
}

function numberless(text: string): string {
  return text.replaceAll(/\d+/g, '0').replaceAll(/ +/g, ' ');
}

function secretsIn(output: string): string[] {
  return output.match(/-----BEGIN [A-Z ]*PRIVATE KEY-----/g) ?? [];
}

/** Stops at the first command that fails, and ends every process that the script started. */
async function run(script: string, bin: string): Promise<{ code: number | null; output: string }> {
  const file = join(bin, 'script.sh');
  writeFileSync(file, script);
  const child = spawn('bash', ['-eu', '-o', 'pipefail', file], {
    // Outside the repository: the guide must work from any folder.
    cwd: bin,
    env: { PATH: `${bin}:${process.env.PATH}`, HOME: bin },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const end = () => {
    try {
      // The process group: the shell and its children.
      process.kill(-(child.pid as number), 'SIGKILL');
    } catch {
      // The group has already ended.
    }
  };
  onTestFinished(end);
  const late = setTimeout(end, 120_000);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk;
    });
  }
  const closed = once(child, 'close');
  const code = await new Promise<number | null>((done) => child.once('exit', done));
  clearTimeout(late);
  end();
  await closed;
  return { code, output };
}
