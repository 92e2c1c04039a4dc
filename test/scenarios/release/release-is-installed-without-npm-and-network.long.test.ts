// The archive and the Debian package, installed in a minimal Debian without npm and network, where the whole guide of
// docs/on-premises.md runs as written; and the root file system of the image, started there read-only.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assembleInstallation, writeArchive } from '../../../tools/artefacts/archive.ts';
import { writeDebianPackage } from '../../../tools/artefacts/debian-package.ts';
import { imageCommand, user, writeImage } from '../../../tools/artefacts/image.ts';
import { architectures, fetchNode } from '../../../tools/artefacts/node-runtime.ts';
import { output as outputOf } from '../../../tools/artefacts/program.ts';
import { buildCliPackage } from '../../../tools/build/cli-package.ts';
import { manifest, root } from '../../../tools/build/manifest.ts';
import { customerPrepared, customerStarted } from '../../support/on-premises/customer.ts';
import { makeDebianRoot, missingForRoot, runApart } from '../../support/on-premises/debian-root.ts';
import { authority, serviceBlocks, startedAsUnit, steps } from '../../support/on-premises/guide.ts';
import { findPeer } from '../../support/peers.ts';

const scratch = mkdtempSync(join(tmpdir(), 'countersign-installed-'));
const release = join(scratch, 'release');
const base = join(scratch, 'base');
const missing = missingForRoot();
const isPossible = missing === undefined && process.arch === 'x64';

/** Of all files. */
const seconds = 1_700_000_000;
const qemu = findPeer('qemu-aarch64-static');

const asService = 'setpriv --reuid countersign --regid countersign --init-groups --';
const deb = `countersign_${manifest.version}_amd64.deb`;
const install = readFileSync(join(root, 'docs/install.md'), 'utf8');
const debianBlock = /^## Debian package\n```sh\n([\s\S]*?)^```$/m.exec(install)?.[1] ?? '';

beforeAll(async () => {
  if (!isPossible) return;
  mkdirSync(release);
  await buildCliPackage(join(scratch, 'cli'));
  const installation = join(scratch, 'installation-x64');
  await writeImages();
  await writeArchive(release, `countersign-${manifest.version}-linux-x64`, installation, scratch, seconds);
  await writeDebianPackage(release, 'x64', installation, scratch, seconds);
  makeDebianRoot(base);
}, 900_000);

/** As an engine does: the layers in their order, and the files that it mounts. */
async function unpackImage(archive: string, folder: string): Promise<void> {
  const layout = `${folder}.layout`;
  for (const path of [layout, folder]) mkdirSync(path);
  await outputOf('tar', ['-xf', archive, '-C', layout]);
  const blob = (digest: string) => join(layout, 'blobs', digest.replace(':', '/'));
  const read = (file: string) => JSON.parse(readFileSync(file, 'utf8'));
  const { layers } = read(blob(read(join(layout, 'index.json')).manifests[0].digest));
  for (const { digest } of layers)
    await outputOf('tar', ['-xzpf', blob(digest), '-C', folder, '--keep-directory-symlink']);
  writeFileSync(join(folder, 'etc/hosts'), '');
}

const imageScript = `${customerPrepared}
mkdir -p /etc/countersign/identities /etc/countersign/server /etc/countersign/callers
cd /etc/countersign
openssl ecparam -name prime256v1 -genkey -noout -out platform.key
openssl req -new -key platform.key -subj '/O=Acme/CN=bot-platform' -out platform.csr
openssl ecparam -name prime256v1 -genkey -noout -out server/tls.key
openssl req -new -key server/tls.key -subj '/CN=countersign.acme.example' -out server.csr
${authority.replace('DNS:localhost', 'DNS:countersign.acme.example')}
${customerStarted}
cp server.pem server/tls.crt
token=$(openssl rand -base64 32)
printf '[{"name":"bot","identities":["platform"],"tokenSha256":"%s"}]' "$(printf %s "$token" | openssl dgst -sha256 -r | cut -d' ' -f1)" > callers/callers.json
chmod -R go-rwx . && chown -R ${user}:${user} .
mount --bind /image /image
mount -t proc proc /image/proc
mount --rbind /dev /image/dev
mount --bind /etc/hosts /image/etc/hosts
mount --bind /etc/countersign /image/etc/countersign
in_image() { exec chroot --userspec=${user}:${user} --groups=${user} /image /opt/countersign/lib/node "$@"; }
( in_image /opt/countersign/lib/main.js identity import platform /etc/countersign/platform.key /etc/countersign/platform.pem \
  /etc/countersign/chain.pem /etc/countersign/root.pem --source directory:/etc/countersign/identities \
  --destination https://api.customer.example --network private --server-roots /etc/countersign/customer-root.pem --probe / )
mount -o remount,bind,ro /image
mount -o remount,bind,ro /image/etc/countersign
test ! -e /image/bin/sh && test ! -e /image/usr/bin/sh
( in_image --eval 'console.log("user " + process.getuid()); try { fs.writeFileSync("/file", ""); } catch (e) { console.log(e.code); }' )
in_image /opt/countersign/lib/main.js ${imageCommand.join(' ')} > /root/serve.log &
server=$!
call="curl --silent --fail --cacert root.pem https://countersign.acme.example:8443"
$call/v1/ready --retry 10 --retry-delay 1 --retry-connrefused
$call/v1/identities/platform/diagnoses -H "authorization: Bearer $token" -H 'content-type: application/json' -d '{"url":"https://api.customer.example/"}'
kill $server && wait $server
echo == end`;

afterAll(() => {
  rmSync(scratch, { recursive: true, force: true });
});

async function writeImages(): Promise<void> {
  for (const architecture of architectures) {
    const files = join(scratch, `installation-${architecture}`);
    assembleInstallation(files, join(scratch, 'cli'), await fetchNode(architecture, scratch));
    await writeImage(release, architecture, files, scratch, { id: 'none', seconds });
  }
}

/** A copy of the root with one artefact in /root. */
function rootWith(name: string, artefact: string): string {
  const folder = join(scratch, name);
  // Keeps devices and owners.
  expect(spawnSync('cp', ['-a', base, folder]).status).toBe(0);
  cpSync(join(release, artefact), join(folder, 'root', artefact));
  return folder;
}

/** A script of all blocks, with the CA and the customer between them. */
function guideWith(blocks: readonly string[]): string {
  const signing = authority.replace('DNS:localhost', 'DNS:countersign.acme.example');
  const between = `if [ -d /etc/countersign ]; then ( cd /etc/countersign\n${signing} ) > /dev/null 2>&1; fi\n${customerStarted}`;
  const checks = `if command -v npm node; then exit 1; fi
if curl --silent --max-time 2 http://192.0.2.1/; then exit 1; fi`;
  const numbered = blocks.map((block, index) => `echo "== block ${index + 1}"\n${block}\n${between}`);
  return [checks, customerPrepared, ...numbered, 'echo == end'].join('\n');
}

/** Systemd is replaced by what it does with the unit. */
const withoutSystemd = (block: string) => (block.includes('systemctl') ? startedAsUnit(asService) : block);

function expectAccess(output: string): void {
  expect(output).toContain('== end\n');
  expect(output.match(/access-granted {2}Access is granted\./g)).toHaveLength(4);
  // As root, and as the user of the service.
  expect(output.match(/Nothing is wrong\./g)).toHaveLength(2);
  expect(output.match(/^granted$/gm)).toHaveLength(2);
  expect(output).not.toContain('PRIVATE KEY');
}

describe.skipIf(!isPossible)(
  'installed without npm and network (needs root, debootstrap, iproute2 and package lists of apt, on x64)',
  () => {
    it('the archive does the whole guide', { timeout: 300_000 }, async () => {
      const folder = rootWith('archive', `countersign-${manifest.version}-linux-x64.tar.gz`);
      const blocks = steps.flatMap((step) => step.blocks).map(withoutSystemd);
      const { status, output } = await runApart(folder, guideWith(blocks));
      expect(status, output).toBe(0);
      expectAccess(output);
    });

    it('the Debian package does the whole guide, is upgraded, and keeps keys when it is purged', {
      timeout: 300_000,
    }, async () => {
      const folder = rootWith('debian', deb);
      const [, ...others] = steps.flatMap((step) => step.blocks);
      // The package has made the user and installed the unit.
      const blocks = others
        .filter((block) => !block.startsWith('useradd'))
        .map((block) => withoutSystemd(block).replaceAll('/opt/countersign', '/usr/lib/countersign'));
      expect(blocks).toHaveLength(others.length - 1);
      expect(debianBlock).toContain(deb);
      const installed = `umask 077\n${debianBlock}
stat -c '%a %U %G' /etc/countersign /etc/countersign/identities
dpkg --verify countersign
countersign --version`;
      const files = 'find identities callers.json server.key serve.env -exec stat -c "%n %a %U %G" {} + | sort';
      const upgraded = `kill $server && wait $server
( ${files}; cat identities/platform/* | sha256sum ) > /root/before
dpkg-deb -R /root/${deb} /root/next
sed -i 's/^Version: .*/Version: ${manifest.version}+next/' /root/next/DEBIAN/control
dpkg-deb -Znone -b /root/next /root/next.deb
dpkg -i /root/next.deb
( ${files}; cat identities/platform/* | sha256sum ) > /root/after
diff /root/before /root/after
cd /
dpkg -r countersign
test ! -e /usr/bin/countersign
dpkg --purge countersign 2>&1 | tee /root/purged
test -s /etc/countersign/identities/platform/private-key.pem
test ! -e /etc/countersign/serve.env
sh -e -c "$(grep '^  rm ' /root/purged)"
test ! -e /etc/countersign
if getent passwd countersign; then exit 1; fi`;
      const { status, output } = await runApart(folder, guideWith([installed, ...blocks, upgraded]));
      expect(status, output).toBe(0);
      expectAccess(output);
      expect(output).toContain('750 root countersign\n750 root countersign\n');
      expect(output).toContain(`Unpacking countersign (${manifest.version}+next) over (${manifest.version})`);
      expect(output).toContain('are kept, with the user countersign. To remove them:');
    });

    it('the root file system of the image serves, read-only and as its user', { timeout: 300_000 }, async () => {
      const folder = rootWith('image', `countersign-${manifest.version}-image-amd64.tar`);
      await unpackImage(join(folder, 'root', `countersign-${manifest.version}-image-amd64.tar`), join(folder, 'image'));
      const { status, output } = await runApart(folder, imageScript);
      expect(status, output).toBe(0);
      expect(output).toContain('{"status":"ready"}');
      expect(output).toContain('"verdict":"access-granted"');
      expect(output).toContain('EROFS');
      expect(output).toContain(`user ${user}\n`);
      expect(output).toContain('== end');
    });

    it.skipIf(!qemu)('the image for arm64 runs (needs qemu-aarch64-static)', { timeout: 300_000 }, async () => {
      const folder = join(scratch, 'arm64');
      await unpackImage(join(release, `countersign-${manifest.version}-image-arm64.tar`), folder);
      const identities = join(scratch, 'identities');
      mkdirSync(identities);
      const run = (...args: string[]) =>
        spawnSync(
          qemu as string,
          [
            '-L',
            folder,
            join(folder, 'opt/countersign/lib/node'),
            join(folder, 'opt/countersign/lib/main.js'),
            ...args,
          ],
          { encoding: 'utf8' },
        );
      expect(run('--version').stdout).toBe(`${manifest.version}\n`);
      const csr = run('identity', 'csr', 'acme', '--subject', 'CN=acme', '--source', `directory:${identities}`);
      expect(csr.stdout).toContain('BEGIN CERTIFICATE REQUEST');
    });

    it.skipIf(!findPeer('skopeo'))('skopeo reads the image (needs skopeo)', () => {
      for (const architecture of ['amd64', 'arm64']) {
        const archive = join(release, `countersign-${manifest.version}-image-${architecture}.tar`);
        const { stdout } = spawnSync('skopeo', ['inspect', '--config', `oci-archive:${archive}:${manifest.version}`], {
          encoding: 'utf8',
        });
        const { config, ...rest } = JSON.parse(stdout);
        expect(rest).toMatchObject({ architecture, os: 'linux' });
        expect(config).toMatchObject({ User: `${user}:${user}`, Cmd: imageCommand });
      }
    });

    it('counts on the unit being started by the guide', () => {
      expect(serviceBlocks.some((block) => block.includes('systemctl enable --now countersign'))).toBe(true);
    });
  },
);
