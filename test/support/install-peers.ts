// First stage of `npm test`: installs the peers that are missing where apt-get can, and says what is skipped where it cannot.
import { spawnSync } from 'node:child_process';
import { findPeer, type Peer, peers } from './peers.ts';

const debianPackages: Readonly<Record<Peer, string>> = { openssl: 'openssl', nginx: 'nginx', aws: 'awscli' };

const names = Object.keys(peers) as Peer[];
const missing = names.filter((name) => findPeer(name) === undefined);
if (missing.length > 0) {
  console.log(`Installing for the tests: ${packagesOf(missing)}`);
  // Old package lists may be good enough: the installation is tried even when they cannot be refreshed.
  aptGet(['update', '-q']);
  aptGet(['install', '-y', '-q', '--no-install-recommends', ...missing.map((name) => debianPackages[name])]);
}

for (const name of names) console.log(`${name}: ${findPeer(name) ?? 'missing'}`);
const stillMissing = missing.filter((name) => findPeer(name) === undefined);
if (stillMissing.length > 0) {
  console.log(
    `The suites that need ${stillMissing.join(', ')} are skipped; on Debian: apt-get install ${packagesOf(stillMissing)}`,
  );
}

function packagesOf(wanted: readonly Peer[]): string {
  return wanted.map((name) => debianPackages[name]).join(' ');
}

/** What goes wrong here is said, and is never a failure of the tests. */
function aptGet(args: readonly string[]): void {
  const command = ['env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-o', 'DPkg::Lock::Timeout=120', ...args];
  const [program = '', ...rest] = process.getuid?.() === 0 ? command : ['sudo', '-n', ...command];
  const result = spawnSync(program, rest, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 300_000 });
  if (result.status === 0) return;
  const reason = (result.stderr || result.error?.message || 'failed').trim().split('\n').at(-1);
  console.log(`apt-get ${args[0]}: ${reason}`);
}
