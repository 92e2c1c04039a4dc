// The shared libraries of Node, from Debian packages that apt downloads and verifies.
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Architecture, debianArchitecture } from './node-runtime.ts';
import { output } from './program.ts';

export interface DebianPackage {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
}

/** The Debian release of the image, whichever release builds it. */
export const suite = 'trixie';

/** The libraries that `ldd` finds for Node, the packages that these depend on, and nothing else. */
const names = ['gcc-14-base', 'libc6', 'libgcc-s1', 'libstdc++6'];

const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** Unpacks the packages into `tree`, without their scripts. Uses the Debian mirror that this machine uses. */
export async function addSystemLibraries(
  tree: string,
  architecture: Architecture,
  scratch: string,
): Promise<readonly DebianPackage[]> {
  const apt = join(scratch, `apt-${architecture}`);
  const downloads = join(apt, 'downloads');
  for (const folder of ['state/lists/partial', 'cache/archives/partial', 'downloads'])
    mkdirSync(join(apt, folder), { recursive: true });
  writeFileSync(join(apt, 'status'), '');
  writeFileSync(join(apt, 'sources.list'), await sources());
  const debian = debianArchitecture[architecture];
  const settings = {
    'Dir::State': join(apt, 'state'),
    'Dir::State::status': join(apt, 'status'),
    'Dir::Cache': join(apt, 'cache'),
    'Dir::Etc::sourcelist': join(apt, 'sources.list'),
    'Dir::Etc::sourceparts': '/dev/null',
    'APT::Architecture': debian,
    'APT::Architectures': debian,
    'APT::Sandbox::User': '',
    'Acquire::Languages': 'none',
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  await output('apt-get', [...options, '-qq', 'update']);
  await output('apt-get', [...options, '-qq', 'download', ...names], { cwd: downloads });

  // Merged /usr, as on every Debian; without these links, the dynamic linker is not where executables expect it.
  for (const name of ['lib', ...(architecture === 'x64' ? ['lib64'] : [])]) {
    mkdirSync(join(tree, 'usr', name), { recursive: true });
    symlinkSync(`usr/${name}`, join(tree, name));
  }
  const packages: DebianPackage[] = [];
  for (const file of readdirSync(downloads).sort()) {
    const path = join(downloads, file);
    await output('sh', [
      '-ec',
      'dpkg-deb --fsys-tarfile "$1" | tar -x --keep-directory-symlink -C "$2"',
      'sh',
      path,
      tree,
    ]);
    const field = async (name: string) => (await output('dpkg-deb', ['-f', path, name])).trim();
    packages.push({ name: await field('Package'), version: await field('Version'), architecture: debian });
  }
  return packages;
}

async function sources(): Promise<string> {
  const format = '$(LABEL)|$(COMPONENT)|$(REPO_URI)';
  const targets = await output('apt-get', ['indextargets', '--format', format, 'Created-By: Packages']);
  const uriOf = (label: string) => new RegExp(`^${label}\\|main\\|(.*)$`, 'm').exec(targets)?.[1];
  const [main, security] = [uriOf('Debian'), uriOf('Debian-Security')];
  if (main === undefined || security === undefined)
    throw new Error('The image needs a Debian with package lists: run apt-get update.');
  const lines = [`${main} ${suite}`, `${main} ${suite}-updates`, `${security} ${suite}-security`];
  return lines.map((line) => `deb [signed-by=${keyring}] ${line} main\n`).join('');
}
