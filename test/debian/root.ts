// A Debian root made by debootstrap, and programs that run in it in mount and process namespaces of their own: mounts
// and processes end with each program.
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Mirror {
  /** `http://mirror.example/debian/` */
  readonly uri: string;
  /** Of the security updates, if the machine uses them. */
  readonly securityUri: string | undefined;
}

/** The mirror that apt of this machine uses. */
export function machineMirror(): Mirror | undefined {
  const format = '$(LABEL)|$(COMPONENT)|$(REPO_URI)';
  const { stdout } = spawnSync('apt-get', ['indextargets', '--format', format, 'Created-By: Packages'], {
    encoding: 'utf8',
  });
  const uriOf = (label: string) =>
    (stdout ?? '')
      .split('\n')
      .find((line) => line.startsWith(`${label}|main|`))
      ?.split('|')[2];
  const uri = uriOf('Debian');
  return uri === undefined ? undefined : { uri, securityUri: uriOf('Debian-Security') };
}

/** Makes the root in `folder`, unless an earlier call did. @throws if debootstrap or apt-get fail */
export async function makeRoot(folder: string, release: string, mirror: Mirror): Promise<void> {
  if (existsSync(join(folder, 'etc/debian_version'))) return;
  const unfinished = `${folder}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { recursive: true });
  const options = ['--variant=minbase', '--include=ca-certificates'];
  const made = await runUnshared(['debootstrap', ...options, release, unfinished, mirror.uri], { env: process.env });
  if (made !== 0) throw new Error(`debootstrap ended with ${made}.`);
  const sources = [`deb ${mirror.uri} ${release} main`, `deb ${mirror.uri} ${release}-updates main`];
  if (mirror.securityUri) sources.push(`deb ${mirror.securityUri} ${release}-security main`);
  writeFileSync(join(unfinished, 'etc/apt/sources.list'), `${sources.join('\n')}\n`);
  for (const name of ['resolv.conf', 'hosts']) cpSync(join('/etc', name), join(unfinished, 'etc', name));
  // The smallest Debian that can do what README asks for: npm brings Node. debootstrap cannot install npm: it does not
  // resolve virtual packages.
  const script = `apt-get update -q && apt-get upgrade -q -y && apt-get clean
apt-get install -q -y --no-install-recommends npm && useradd --create-home --shell /bin/bash tester`;
  const status = await runInRoot({ folder: unfinished }, { script, env: aptEnvironment });
  if (status !== 0) throw new Error(`apt-get failed in the root of ${release}.`);
  renameSync(unfinished, folder);
}

export const aptEnvironment = { DEBIAN_FRONTEND: 'noninteractive' };

export interface Root {
  readonly folder: string;
  /** Takes the changes; without it `folder` is changed. */
  readonly changes?: string;
}

export interface ProgramInRoot {
  /** For bash. */
  readonly script: string;
  readonly env?: Readonly<Record<string, string>>;
  /** `root` if absent. */
  readonly user?: 'root' | 'tester';
  /** Gives it a network namespace with loopback alone. */
  readonly hasLoopbackOnly?: boolean;
  readonly onOutput?: (text: string) => void;
}

/**
 * `chroot` would forbid user namespaces, which some tests make, so the root is pivoted. In `/dev` is what Debian's own
 * containers have.
 */
const enter = `set -euo pipefail
root=$1 changes=$2 loopback=$3 user=$4 script=$5
if [ -n "$changes" ]; then
  mkdir -p "$changes"/{upper,work,root}
  mount -t overlay overlay -o "lowerdir=$root,upperdir=$changes/upper,workdir=$changes/work" "$changes/root"
  root=$changes/root
else
  mount --bind "$root" "$root"
fi
if [ -n "$loopback" ]; then ip link set lo up; fi
cd "$root"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero full random urandom tty; do touch dev/$device; mount --bind /dev/$device dev/$device; done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
for number in 0 1 2; do ln -s /proc/self/fd/$number dev/$(echo stdin stdout stderr | cut -d' ' -f$((number + 1))); done
mkdir -p mnt/machine
pivot_root . mnt/machine
cd /
umount -l /mnt/machine
rmdir /mnt/machine
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
status=0
if [ "$user" = root ]; then
  export HOME=/root
  bash -c "$script" || status=$?
else
  export HOME=/home/$user PATH=/usr/local/bin:/usr/bin:/bin
  setpriv --reuid "$user" --regid "$user" --init-groups bash -c "$script" || status=$?
fi
# This shell, which runs as root, must last: a change of user would drop the signal of --kill-child.
exit $status
`;

/** Programs that were started and have not ended. */
const running = new Set<() => void>();
let isEnded = false;

/** Ends every program, with its processes and mounts. No other program can start. */
export function endPrograms(): void {
  isEnded = true;
  for (const end of running) end();
}

/** @returns the exit status of the script, 1 if a signal ended it */
export function runInRoot({ folder, changes = '' }: Root, program: ProgramInRoot): Promise<number> {
  const { script, env, user = 'root', hasLoopbackOnly = false, onOutput } = program;
  const loopback = hasLoopbackOnly ? 'yes' : '';
  const command = ['bash', '-c', enter, 'enter', folder, changes, loopback, user, script];
  return runUnshared([...(hasLoopbackOnly ? ['--net'] : []), ...command], {
    env: { PATH: process.env.PATH, LANG: 'C.UTF-8', ...env },
    onOutput,
  });
}

/** @param args options of `unshare`, and the command */
function runUnshared(
  args: readonly string[],
  { env, onOutput }: { env: NodeJS.ProcessEnv; onOutput?: ((text: string) => void) | undefined },
): Promise<number> {
  return new Promise((resolve, reject) => {
    if (isEnded) throw new Error('Stopped.');
    const child = spawn('unshare', ['--mount', '--pid', '--fork', '--kill-child=SIGKILL', ...args], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      // Ctrl-C of a terminal must not end it before the caller decides.
      detached: true,
    });
    const end = () => child.kill('SIGKILL');
    running.add(end);
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        process.stdout.write(text);
        onOutput?.(text);
      });
    }
    child.once('error', reject);
    child.once('close', (status) => {
      running.delete(end);
      resolve(status ?? 1);
    });
  });
}
