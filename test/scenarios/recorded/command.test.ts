// The command `countersign`: what each verb prints on both streams, and its exit code, as they were recorded.
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import forge from 'node-forge';
import { expect, it, onTestFinished } from 'vitest';
import { fingerprintOf, makeKey, pkcs12Of } from './certificates.ts';
import { customerHost } from './customers.ts';
import { openGround, writeFolder } from './identities.ts';
import type { Masks } from './masks.ts';
import { type RunOptions, start } from './processes.ts';
import { programFile } from './programs.ts';
import { compareRecording, quoted, type Section } from './recording.ts';

const resolver = ['--import', join(import.meta.dirname, 'resolver.ts')];

type Line = readonly [args: string, options?: RunOptions];

/** Words are split at blanks; what is written between quotation marks is one. */
const wordsOf = (args: string) =>
  [...args.matchAll(/"([^"]*)"|(\S+)/g)].map(([, inMarks, word]) => inMarks ?? word ?? '');

/** `title` where the words differ from run to run, or stand twice. */
async function sectionOf(args: string, options: RunOptions = {}, title = args): Promise<Section> {
  const run = start(programFile('command'), wordsOf(args), { node: resolver, ...options });
  const code = await run.ended;
  const shown = (sign: string, text: string) =>
    text === '' ? [] : [quoted(sign, withoutOwner(text).replace(/\n$/, ''))];
  return {
    title: `countersign ${title}`,
    parts: [...shown('out', run.out()), ...shown('err', run.error()), `exit code ${code}`],
  };
}

/** A check that doctor skips as root; other users do not see this line. */
function withoutOwner(text: string): string {
  return text
    .replaceAll(/^– files .*\n {2,}\S.*\n/gm, '')
    .replaceAll(/ {4}\{\n {6}"check": "files",\n {6}"status": "skipped",[^}]*\},\n/g, '');
}

/** Those that change nothing: three at a time. */
async function sectionsOf(lines: readonly Line[], masks: Masks): Promise<Section[]> {
  const made: Section[] = [];
  const title = (args: string) => masks.section(args);
  const running = [0, 1, 2].map(async (first) => {
    for (let at = first; at < lines.length; at += 3) {
      const [args = '', options] = lines[at] ?? [];
      made[at] = await sectionOf(args, options, title(args));
    }
  });
  await Promise.all(running);
  return made;
}

const helped = ['', ...['diagnose', 'invoke', 'doctor', 'serve', 'identity']].concat(
  ...['import', 'list', 'inspect', 'csr', 'complete', 'rotate', 'rollback', 'destinations', 'trust-pack'].map(
    (verb) => `identity ${verb}`,
  ),
);

it('help and wrong command lines are as recorded', { timeout: 120_000 }, async () => {
  const { masks, folder, customers } = await openGround();
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  const refused: readonly string[] = [
    '',
    'nothing',
    'identity',
    'identity nothing',
    'list',
    'diagnose',
    'diagnose --json',
    'diagnose https://api.acme.example --nothing',
    'diagnose https://api.acme.example --nothing --json',
    'diagnose https://api.acme.example --api http://api.acme.example',
    'diagnose https://api.acme.example --api http://127.0.0.1:1 --source local',
    'diagnose https://api.acme.example --timeout 0 --json',
    'diagnose https://api.acme.example --token-file /nothing/token --json',
    'invoke',
    'invoke https://a.example https://b.example',
    'invoke https://api.acme.example -X get',
    'invoke https://api.acme.example -H nothing --json',
    'invoke https://api.acme.example -m 100',
    'identity import',
    'identity import bot /nothing/file --source directory:/nothing --json',
    'identity list --source nowhere --json',
    'identity list --source directory:/nothing --json',
    'identity list --source directory:/nothing',
    'identity inspect Not_A_Name --source directory:/nothing --json',
    'identity inspect bot --stage later --source directory:/nothing --json',
    'identity trust-pack bot --source directory:/nothing',
    'serve',
    'serve --identities /nothing --port 0 --workers 1',
    `serve --identities ${folder} --port 70000`,
    `serve --identities ${folder} --workers many`,
    `serve --identities ${folder} --host 0.0.0.0`,
    `serve --identities ${folder} --host nowhere`,
    `serve --identities ${folder} --tls-cert ${file('a.pem', 'nothing')}`,
    `serve --identities ${folder} --callers /nothing/callers.json`,
    `serve --identities ${folder} --callers ${file('callers.json', '{}')}`,
    `serve --identities ${folder} --callers ${file('twice.json', '[{"name":"a","identities":[],"identities":[]}]')}`,
    `serve --identities ${folder} --client-ca ${file('ca.pem', 'nothing')}`,
    `serve --identities ${folder} --max-calls 0`,
    `serve --identities ${folder} --docs-url nothing`,
    `serve --identities ${folder} --port ${customers.ports.api}`,
  ];
  const lines: Line[] = [...helped.map((verb) => `${verb} --help`.trim()), ...refused].map((args) => [args]);
  compareRecording('command-help', await sectionsOf(lines, masks), masks);
});

it('the verbs of identity are as recorded, on a directory', { timeout: 120_000 }, async () => {
  const { masks, folder, customers, identities } = await openGround();
  const directory = join(folder, 'identities');
  mkdirSync(directory, { mode: 0o700 });
  for (const identity of identities) {
    writeFolder(directory, { ...identity, ...(identity.name === 'bot' && { destinations: [{ host: 'api.test' }] }) });
  }
  const [key, other] = await Promise.all([makeKey(), makeKey()]);
  const { platform, stranger } = customers.authorities;
  const next = platform.issue('bot', key, { usage: 'client', to: 120 });
  masks.name(fingerprintOf(next.certificate), 'fingerprint of the next bot');
  const files: Readonly<Record<string, string | Buffer>> = {
    'bot.pem': next.privateKey + next.certificate + next.intermediates + next.root,
    'bot.p12': pkcs12Of(next, 'Correct-Horse-7301'),
    'passphrase.txt': 'Correct-Horse-7301\n',
    'wrong.txt': 'another\n',
    'no-key.pem': next.certificate + next.intermediates + next.root,
    'other-key.pem': other.privateKey,
    'no-issuer.pem': next.privateKey + next.certificate,
    'server.pem': (({ privateKey, certificate }) => privateKey + certificate)(platform.issue('server', other)),
    'stranger.pem': stranger.root,
    'nothing.pem': 'nothing\n',
    'destinations.json': JSON.stringify([
      { host: 'one.test', requireMutual: true },
      { host: '*.two.test', port: 8443 },
    ]),
    'bad-destinations.json': '[{"host":"one.test","prot":1}]',
  };
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content, { mode: 0o600 });
  const source = '--source directory:identities';
  const options = { cwd: folder };
  const at = (args: string): Line => [`identity ${args} ${source}`, options];
  const looks = [
    at('list'),
    at('list --json'),
    ...['bot', 'expired', 'mismatch', 'incomplete', 'garbage', 'empty', 'absent'].flatMap((name) => [
      at(`inspect ${name}`),
      at(`inspect ${name} --json`),
    ]),
    at('inspect bot --stage previous --json'),
    at('destinations bot --json'),
    at('destinations absent --json'),
    at('import bot bot.pem --json'),
    at('import new no-key.pem --json'),
    at('import new no-issuer.pem --json'),
    at('import new no-issuer.pem'),
    at('import new server.pem no-key.pem --json'),
    at('import new other-key.pem no-key.pem --json'),
    at('import new nothing.pem --json'),
    at('import new bot.p12 --json'),
    at('import new bot.p12 --passphrase-file wrong.txt --json'),
    at('import new bot.p12 --passphrase-file passphrase.txt --dry-run --json'),
    at('import new bot.pem --destination ftp://one.test --json'),
    at('import new bot.pem --destinations bad-destinations.json --json'),
    at('import new bot.pem stranger.pem --dry-run'),
    at('rotate bot --json'),
    at('rollback bot --yes --json'),
    at('complete bot --certificate bot.pem --json'),
    at('csr new --subject nothing --json'),
  ];
  const sections = await sectionsOf(looks, masks);
  const change = async (args: string, more: RunOptions = {}) => {
    sections.push(await sectionOf(`identity ${args} ${source}`, { ...options, ...more }, `identity ${args}, a change`));
  };
  await change('destinations bot add https://api.acme.example --require-mutual --json');
  await change('destinations bot add api.acme.example:443 --no-reach');
  await change('destinations bot remove api.acme.example --json');
  await change('destinations bot remove api.acme.example:444 --json');
  await change('destinations bot set --file destinations.json');
  await change(
    'import new bot.p12 --passphrase-file passphrase.txt --destination https://api.acme.example --no-reach --json',
  );
  await change('import bot bot.pem --replace --json');
  await change('import bot bot.pem --replace');
  await change('list --json');
  await change('trust-pack bot --out pack --host api.acme.example');
  sections.push({
    title: 'the files of the trust pack',
    parts: [readdirSync(join(folder, 'pack'), { recursive: true }).sort().join('\n')],
  });
  await change('trust-pack bot --out pack --host api.acme.example --json');
  const csr = start(
    programFile('command'),
    wordsOf(`identity csr acme --subject CN=acme --key RSA_2048 ${source}`),
    options,
  );
  expect(await csr.ended).toBe(0);
  const asked = forge.pki.certificationRequestFromPem(csr.out());
  const publicKey = forge.pki.publicKeyToPem(asked.publicKey as forge.pki.PublicKey);
  const signed = platform.issue('acme', { privateKey: '', publicKey }, { usage: 'client' });
  masks.name(fingerprintOf(signed.certificate), 'fingerprint of acme');
  writeFileSync(join(folder, 'acme.pem'), signed.certificate + signed.intermediates + signed.root);
  await change('csr acme');
  await change('csr acme --json');
  await change('complete acme --certificate stranger.pem --json');
  await change('complete acme --certificate acme.pem --destination https://api.acme.example --no-reach --json');
  await change('complete acme --certificate acme.pem');
  await change('inspect acme --json');
  compareRecording('command-identity', sections, masks);
});

it('diagnose, invoke and doctor are as recorded, with files and with an API', { timeout: 120_000 }, async () => {
  const { masks, folder, customers, identities } = await openGround();
  for (const name of ['identities', 'small']) mkdirSync(join(folder, name), { mode: 0o700 });
  for (const identity of identities) writeFolder(join(folder, 'identities'), identity);
  const bot = identities.find(({ name }) => name === 'bot');
  if (!bot) throw new Error('No such identity.');
  const { ports } = customers;
  const few = ['api', 'expired', 'one-way', 'one-way-required', 'closed', 'rejects-tls12'].map((name) => ports[name]);
  const destinations = customers.destinations.filter((one) => few.includes((one as { port: number }).port));
  writeFolder(join(folder, 'small'), { ...bot, name: 'platform', destinations });
  const serving = start(
    programFile('command'),
    ['serve', '--identities', join(folder, 'identities'), '--port', '0', '--workers', '1'],
    { node: resolver },
  );
  onTestFinished(async () => void (await serving.stop()));
  const [, api = ''] = await serving.printed(/"message":"serving".*"url":"([^"]+)"/);
  masks.name(new URL(api).port, 'port of serve');
  writeFileSync(join(folder, 'body.json'), '{\n"a": 1\n}', { mode: 0o600 });
  const options = { cwd: folder };
  const url = (name: string, path = '/') => `https://${customerHost}:${ports[name]}${path}`;
  const asked: readonly string[] = [
    `diagnose ${url('api')} --identity bot`,
    `diagnose ${url('api')} --identity bot --json`,
    `diagnose ${url('rejects-tls13')} --identity bot`,
    `diagnose ${url('rejects-tls13')} --identity bot --json`,
    `diagnose ${url('expired')} --identity bot`,
    `diagnose ${url('one-way')} --identity bot`,
    `diagnose ${url('nginx')} --identity bot`,
    `diagnose ${url('closed')} --identity bot --json`,
    `diagnose https://elsewhere.example --identity bot`,
    `diagnose https://elsewhere.example --identity bot --json`,
    `diagnose ${url('api')} --identity absent --json`,
    `diagnose ${url('api')} --identity expired`,
    `diagnose ${url('api')} --identity bot --probe none --json`,
    `invoke ${url('api', '/utf8')} --identity bot`,
    `invoke ${url('api', '/echo')} --identity bot -d a=1 -d b=2 -H "x-tag: a"`,
    `invoke ${url('api', '/echo')} --identity bot -X PUT --data-binary @body.json -H "content-type: application/json"`,
    `invoke ${url('api', '/headers')} --identity bot -i`,
    `invoke ${url('api', '/status/404')} --identity bot -f`,
    `invoke ${url('api', '/status/404')} --identity bot --fail-with-body -i`,
    `invoke ${url('api', '/status/200')} --identity bot -I`,
    `invoke ${url('api', '/bytes')} --identity bot`,
    `invoke ${url('api', '/status/200')} --identity bot --json`,
    `invoke ${url('nginx')} --identity bot -v`,
    `invoke ${url('one-way')} --identity bot --require-mutual`,
    `invoke ${url('one-way')} --identity bot --require-mutual --json`,
    `invoke ${url('rejects-tls12')} --identity bot -s`,
    `invoke ${url('untrusted')} --identity bot --json`,
    `invoke ${url('api', '/no-answer')} --identity bot -m 4 --json`,
  ];
  const local = asked.map((args): Line => [`${args} --source directory:identities`, options]);
  // The words of an answer are the same; with an API some fail in another place.
  const remote = [0, 1, 3, 8, 9, 10, 11, 14, 17, 21, 24, 27]
    .map((index) => asked[index] ?? '')
    .map((args): Line => [`${args} --api ${api}`, options]);
  const away = `--api http://127.0.0.1:${ports.closed}`;
  const others: readonly Line[] = [
    [`diagnose ${url('api')} ${away} --json`, options],
    [`invoke ${url('api')} ${away}`, options],
    [`doctor ${away} --json`, options],
    [`doctor --source directory:small --json`, options],
    [`doctor --source directory:small`, options],
    [`doctor --source directory:identities --no-reach --json`, options],
    [`doctor --source directory:nothing --json`, options],
    [`doctor --api ${api} --identity bot`, options],
    [`doctor --api ${api} --identity absent --json`, options],
    [
      `doctor --source directory:small --no-reach`,
      {
        ...options,
        environment: {
          COUNTERSIGN_NOTHING: '1',
          HTTPS_PROXY: 'http://127.0.0.1:1',
          COUNTERSIGN_IDENTITY_TTL_SECONDS: 'many',
        },
      },
    ],
  ];
  const sections = await sectionsOf([...local, ...others], masks);
  // One after the other: the server keeps connections open, and tells in its answers which were.
  for (const [args, more] of remote) sections.push(await sectionOf(args, more, masks.section(args)));
  compareRecording('command-calls', sections, masks);
});
