// Where the programs of other people are that the tests talk to: openssl, the servers customers run, issuers, and the
// AWS CLI.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';

/** Peer, to the argument that makes it print its version and exit 0. */
export const peers = {
  openssl: 'version',
  nginx: '-v',
  aws: '--version',
  curl: '--version',
  jq: '--version',
  apache2: '-v',
  haproxy: '-v',
  caddy: 'version',
  stunnel4: '-version',
  lighttpd: '-v',
  'gnutls-serv': '--version',
  java: '-version',
  javac: '-version',
  // It has no argument for its version.
  keytool: '-help',
  go: 'version',
  gcc: '--version',
  'catalina.sh': 'version',
  unshare: '--version',
  ip: '-V',
  // strongSwan's, which enrols by EST.
  pki: '--help',
  chromium: '--version',
  debootstrap: '--version',
  skopeo: '--version',
  'qemu-aarch64-static': '--version',
  hitch: '--version',
  squid: '-v',
  nghttpx: '--version',
  uwsgi: '--version',
  python3: '--version',
  erl: '-version',
  // It has no argument for its version; this one prints the names of ciphers.
  selfserv: '-Y',
  ruby: '--version',
} as const satisfies Readonly<Record<string, string>>;

export type Peer = keyof typeof peers;

/** Libraries, by a file that stands where Debian puts it. */
const libraries = {
  'libssl-dev': '/usr/include/openssl/ssl.h',
  smallstep: '/usr/share/gocode/src/github.com/smallstep/certificates/api/api.go',
  // Without it pki reads no certificate with a key of an elliptic curve.
  'strongswan-openssl': '/usr/lib/ipsec/plugins/libstrongswan-openssl.so',
  // Of its two, the one for programs with threads.
  faketime: `/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu/faketime/libfaketimeMT.so.1`,
  'lighttpd-mod-openssl': '/usr/lib/lighttpd/mod_openssl.so',
  'lighttpd-mod-gnutls': '/usr/lib/lighttpd/mod_gnutls.so',
  'lighttpd-mod-wolfssl': '/usr/lib/lighttpd/mod_wolfssl.so',
  'lighttpd-mod-mbedtls': '/usr/lib/lighttpd/mod_mbedtls.so',
  'uwsgi-plugin-python3': '/usr/lib/uwsgi/plugins/python3_plugin.so',
  bctls: '/usr/share/java/bctls.jar',
} as const;

export type Library = keyof typeof libraries;

export const libraryNames = Object.keys(libraries) as readonly Library[];

/**
 * The path of the file; undefined when it is not there, and then the suites that need it are skipped like those above.
 */
export function findLibrary(name: Library): string | undefined {
  return existsSync(libraries[name]) ? libraries[name] : undefined;
}

/** Packages put programs here; nginx stands in sbin, which is not on every PATH, and Tomcat's scripts by themselves. */
const packageFolders = [
  '/usr/bin',
  '/usr/sbin',
  '/usr/local/bin',
  '/usr/local/sbin',
  '/opt/homebrew/bin',
  '/usr/share/tomcat10/bin',
];

const found = new Map<Peer, string>();

/**
 * The absolute path of a peer that runs, or undefined: then the suites that need it are skipped, under a name that says
 * so: `describe.skipIf(!findPeer('aws'))('… (needs the AWS CLI)', …)`. Package folders come before PATH, and each
 * candidate is started once, because a version manager may leave a shim on PATH that stands for nothing.
 */
export function findPeer(name: Peer): string | undefined {
  const known = found.get(name);
  if (known) return known;
  const onPath = (process.env.PATH ?? '').split(delimiter).filter(isAbsolute);
  const candidates = [...packageFolders, ...onPath].map((folder) => join(folder, name));
  const path = candidates.find((candidate) => isProgram(candidate) && runs(candidate, peers[name]));
  if (path) found.set(name, path);
  return path;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function runs(path: string, versionArgument: string): boolean {
  return spawnSync(path, [versionArgument], { stdio: 'ignore', timeout: 30_000 }).status === 0;
}
