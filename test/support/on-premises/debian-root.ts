// A minimal Debian made by debootstrap, for programs that run there without a network but loopback.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

/** Why the root cannot be made here; undefined if it can. */
export function missingForRoot(): string | undefined {
  if (process.getuid?.() !== 0) return 'root';
  const programs = ['debootstrap', 'unshare', 'ip', 'setpriv', 'chroot'];
  const missing = programs.find((name) => spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0);
  return missing ?? (mirror() === undefined ? 'package lists of apt' : undefined);
}

/** The mirror that apt of this machine uses. */
function mirror(): string | undefined {
  const { stdout } = spawnSync(
    'apt-get',
    ['indextargets', '--format', '$(LABEL)|$(COMPONENT)|$(REPO_URI)', 'Created-By: Packages'],
    { encoding: 'utf8' },
  );
  return /^Debian\|main\|(.+)$/m.exec(stdout ?? '')?.[1];
}

/** With OpenSSL, curl and nginx. Throws if debootstrap fails. */
export function makeDebianRoot(folder: string): void {
  mkdirSync(folder, { recursive: true });
  const args = ['--variant=minbase', '--include=openssl,curl,nginx-light', 'bookworm', folder, mirror() ?? ''];
  const { status, stdout } = spawnSync('debootstrap', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(stdout);
}

export interface Ran {
  readonly status: number | null;
  readonly output: string;
}

/**
 * Runs a bash script as root in namespaces of its own for mounts, processes and the network, which has loopback and
 * 10.20.0.7 only. Its processes end with it. `enter` can use $root, and must `exec` the script.
 */
export async function runApart(root: string, script: string, enter = inRoot): Promise<Ran> {
  const file = join(root, 'script.sh');
  writeFileSync(file, `exec 2>&1\n${script}`);
  const setUp = `set -eu
root=$1
ip link set lo up
ip address add 10.20.0.7/32 dev lo
${enter}`;
  const namespaces = ['--mount', '--net', '--pid', '--fork', '--kill-child=SIGKILL'];
  const child = spawn('unshare', [...namespaces, 'bash', '-c', setUp, 'bash', root], {
    env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/root', LC_ALL: 'C.UTF-8' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = Promise.all([text(child.stdout), text(child.stderr)]);
  const [status] = await once(child, 'close');
  return { status, output: (await output).join('') };
}

const inRoot = `mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
exec chroot "$root" bash -euo pipefail /script.sh`;
