// countersign_<version>_<architecture>.deb, from the same files as the archive.
import { createHash } from 'node:crypto';
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { manifest } from '../build/manifest.ts';
import { type Architecture, debianArchitecture } from './node-runtime.ts';
import { output } from './program.ts';
import { normalizeTree } from './tar.ts';

const home = 'usr/lib/countersign';
const scripts = ['postinst', 'prerm', 'postrm'];

/** The shared libraries of Node's executable (`ldd`), in the versions that it names (`readelf -V`). */
const dependencies = ['libc6 (>= 2.28)', 'libgcc-s1', 'libstdc++6 (>= 5)', 'passwd'];

/** @returns the path of the package */
export async function writeDebianPackage(
  release: string,
  architecture: Architecture,
  installation: string,
  scratch: string,
  seconds: number,
): Promise<string> {
  const tree = join(scratch, `debian-${architecture}`);
  cpSync(installation, join(tree, home), { recursive: true });
  installUnits(tree);
  mkdirSync(join(tree, 'usr/bin'), { recursive: true });
  symlinkSync('../lib/countersign/bin/countersign', join(tree, 'usr/bin/countersign'));
  const doc = join(tree, 'usr/share/doc/countersign');
  mkdirSync(doc, { recursive: true });
  symlinkSync('../../../lib/countersign/docs', join(doc, 'docs'));
  cpSync(join(tree, home, 'CHANGELOG.md'), join(doc, 'CHANGELOG.md'));
  const licenses = ['LICENSE', 'LICENSE-node.txt', 'THIRD-PARTY-LICENSES.txt'];
  const copyright = licenses.map((file) => `${file}\n\n${readFileSync(join(tree, home, file), 'utf8')}`);
  writeFileSync(join(doc, 'copyright'), copyright.join(`\n${'-'.repeat(80)}\n\n`));
  cpSync(join(import.meta.dirname, 'debian/serve.env'), join(tree, 'etc/countersign/serve.env'));
  writeControl(tree, architecture);
  normalizeTree(tree, seconds);
  const file = join(release, `countersign_${manifest.version}_${debianArchitecture[architecture]}.deb`);
  // One thread: the blocks of xz would depend on the number of processors. Level 1 is six times as fast as level 6.
  const args = ['--root-owner-group', '-Zxz', '-z1', '--threads-max=1', '--build', tree, file];
  await output('dpkg-deb', args, { env: { SOURCE_DATE_EPOCH: String(seconds) } });
  return file;
}

/** Every service and timer of deploy/, with the paths of the package. */
function installUnits(tree: string): void {
  const folder = join(tree, 'usr/lib/systemd/system');
  const deploy = join(tree, home, 'deploy');
  mkdirSync(folder, { recursive: true });
  for (const unit of readdirSync(deploy).filter((name) => /\.(?:service|timer)$/.test(name))) {
    const text = readFileSync(join(deploy, unit), 'utf8').replaceAll('/opt/countersign', `/${home}`);
    writeFileSync(join(folder, unit), text);
    writeFileSync(join(deploy, unit), text);
  }
}

function writeControl(tree: string, architecture: Architecture): void {
  const files = readdirSync(tree, { recursive: true, encoding: 'utf8', withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  const kilobytes = files.reduce((sum, file) => sum + Math.ceil(statSync(file).size / 1024), 0);
  const fields = {
    Package: 'countersign',
    Version: manifest.version,
    Architecture: debianArchitecture[architecture],
    Maintainer: 'Countersign <countersign@countersign.example>',
    'Installed-Size': kilobytes,
    Depends: dependencies.join(', '),
    Section: 'net',
    Priority: 'optional',
    Description: `${manifest.description.replace(/\.$/, '')}\n Imports, inspects, renews and tests client certificates, and serves calls with them.`,
  };
  const control = join(tree, 'DEBIAN');
  mkdirSync(control);
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\n`);
  writeFileSync(join(control, 'control'), lines.join(''));
  writeFileSync(join(control, 'conffiles'), '/etc/countersign/serve.env\n');
  const sums = files.map((file) => {
    const sum = createHash('md5').update(readFileSync(file)).digest('hex');
    return `${sum}  ${file.slice(tree.length + 1)}\n`;
  });
  writeFileSync(join(control, 'md5sums'), sums.join(''));
  for (const script of scripts) {
    cpSync(join(import.meta.dirname, 'debian', `${script}.sh`), join(control, script));
    chmodSync(join(control, script), 0o755);
  }
}
