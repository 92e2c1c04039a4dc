// First stage of `npm test`: installs the peers that are missing where apt-get can, unless COUNTERSIGN_NO_INSTALL=1
// forbids it, and says what is skipped.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { findLibrary, findPeer, type Library, libraryNames, type Peer, peers } from './peers.ts';

/** More than one where a program needs a package that it does not depend on. */
const debianPackages: Readonly<Record<Peer | Library, string>> = {
  openssl: 'openssl',
  nginx: 'nginx',
  aws: 'awscli',
  curl: 'curl',
  jq: 'jq',
  apache2: 'apache2',
  haproxy: 'haproxy',
  caddy: 'caddy',
  stunnel4: 'stunnel4',
  lighttpd: 'lighttpd',
  'lighttpd-mod-openssl': 'lighttpd-mod-openssl',
  'lighttpd-mod-gnutls': 'lighttpd-mod-gnutls',
  'lighttpd-mod-wolfssl': 'lighttpd-mod-wolfssl',
  'lighttpd-mod-mbedtls': 'lighttpd-mod-mbedtls',
  'gnutls-serv': 'gnutls-bin',
  // The source of the test's server is compiled as it starts: the runtime alone has no compiler.
  java: 'default-jdk-headless',
  javac: 'default-jdk-headless',
  keytool: 'default-jdk-headless',
  go: 'golang-go',
  gcc: 'gcc libc6-dev',
  // Without the service and its user.
  'catalina.sh': 'tomcat10-common',
  unshare: 'util-linux',
  ip: 'iproute2',
  pki: 'strongswan-pki',
  chromium: 'chromium',
  debootstrap: 'debootstrap',
  skopeo: 'skopeo',
  // Runs the programs of another processor.
  'qemu-aarch64-static': 'qemu-user-static',
  'libssl-dev': 'libssl-dev',
  'strongswan-openssl': 'libstrongswan-standard-plugins',
  faketime: 'libfaketime',
  hitch: 'hitch',
  // Debian's other build of Squid, over GnuTLS, asks no client for a certificate.
  squid: 'squid-openssl',
  nghttpx: 'nghttp2-proxy',
  uwsgi: 'uwsgi-core',
  'uwsgi-plugin-python3': 'uwsgi-plugin-python3',
  python3: 'python3',
  erl: 'erlang-base erlang-ssl',
  selfserv: 'libnss3-tools',
  ruby: 'ruby ruby-webrick',
  bctls: 'libbctls-java',
  smallstep: 'golang-github-smallstep-certificates-dev',
};

/** By the name of the service. */
const services: Readonly<Partial<Record<Peer | Library, string>>> = {
  nginx: 'nginx',
  apache2: 'apache2',
  haproxy: 'haproxy',
  caddy: 'caddy',
  stunnel4: 'stunnel4',
  lighttpd: 'lighttpd',
  hitch: 'hitch',
  squid: 'squid',
  nghttpx: 'nghttpx',
};

const names = [...(Object.keys(peers) as Peer[]), ...libraryNames];
const missing = names.filter((name) => find(name) === undefined);
const mayInstall = !process.env.COUNTERSIGN_NO_INSTALL;
if (missing.length > 0 && mayInstall) {
  console.log(`Installing for the tests: ${packagesOf(missing)}`);
  // Old package lists may be good enough: the installation is tried even when they cannot be refreshed.
  aptGet(['update', '-q']);
  const packages = packagesOf(missing).split(' ');
  // A package that this release does not have stops apt-get, and the others come one by one.
  if (/Unable to locate|no installation candidate/.test(install(packages)))
    for (const name of packages) install([name]);
  stopServices(missing);
}

for (const name of names) console.log(`${name}: ${find(name) ?? 'missing'}`);
const stillMissing = missing.filter((name) => find(name) === undefined);
if (stillMissing.length > 0) {
  console.log(
    `The suites that need ${stillMissing.join(', ')} are skipped; on Debian: apt-get install ${packagesOf(stillMissing)}`,
  );
  if (!mayInstall) console.log('Nothing was installed: COUNTERSIGN_NO_INSTALL is set.');
}

function find(name: Peer | Library): string | undefined {
  return isLibrary(name) ? findLibrary(name) : findPeer(name);
}

function isLibrary(name: Peer | Library): name is Library {
  return (libraryNames as readonly string[]).includes(name);
}

function packagesOf(wanted: readonly (Peer | Library)[]): string {
  return [...new Set(wanted.flatMap((name) => debianPackages[name].split(' ')))].join(' ');
}

/** Where systemd runs, Debian starts a service with its package; what was not there before is not left running. */
function stopServices(installed: readonly (Peer | Library)[]): void {
  const started = installed.flatMap((name) => services[name] ?? []);
  if (started.length === 0 || !existsSync('/run/systemd/system')) return;
  run(['systemctl', 'disable', '--now', ...started]);
}

function install(packages: readonly string[]): string {
  return aptGet(['install', '-y', '-q', '--no-install-recommends', ...packages]);
}

function aptGet(args: readonly string[]): string {
  return run([
    'env',
    'LC_ALL=C',
    'DEBIAN_FRONTEND=noninteractive',
    'apt-get',
    '-o',
    'DPkg::Lock::Timeout=120',
    ...args,
  ]);
}

/**
 * As root or through sudo. What goes wrong here is printed, and is never a failure of the tests.
 * @returns the last line of the error, or an empty string
 */
function run(command: readonly string[]): string {
  const [program = '', ...rest] = process.getuid?.() === 0 ? command : ['sudo', '-n', ...command];
  const result = spawnSync(program, rest, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 900_000 });
  if (result.status === 0) return '';
  const reason = (result.stderr || result.error?.message || 'failed').trim().split('\n').at(-1) as string;
  console.log(`${command.join(' ')}: ${reason}`);
  return reason;
}
