// selfserv, the server of NSS: a process for each listener, and a database for each set of certificates.
import { execFileSync, spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { filesOf, groupsOf, type Listener, programOf, type RealServer } from './listener.ts';
import { missingNamespace, startInside } from './namespace.ts';
import type { Folder, Resources } from './resources.ts';

export const nss: RealServer = {
  title: 'NSS (selfserv)',
  needs: ['selfserv', 'unshare', 'ip'],
  version: nssVersion,
  conditions: ['clock'],
  missing: missingNamespace,
  async start(listeners, resources) {
    const groups = groupsOf(listeners, ({ chain, clientRoots, revoked }) => [chain, clientRoots, revoked].join());
    const commands = groups.flatMap((group) => {
      const folder = createDatabase(group[0] as Listener, resources);
      return group.map((listener) => ({ port: listener.port, command: commandOf(listener, folder) }));
    });
    await startInside(commands, resources.folder(), resources);
  },
};

/** It prints no version; Debian's has an epoch before it. */
function nssVersion(): string {
  const { stdout } = spawnSync('dpkg', ['--status', 'libnss3'], { encoding: 'utf8' });
  return /^Version: (?:\d+:)?(\d+(?:\.\d+)+)/m.exec(stdout ?? '')?.[1] ?? 'unknown';
}

function commandOf({ port, protocol, clientRoots }: Listener, { path }: Folder): string[] {
  const version = protocol.replace('TLSv', 'tls');
  const args = ['-d', path, '-p', String(port), '-n', 'server', '-V', `${version}:${version}`, '-t', '16'];
  // Twice: the client must present a certificate.
  return [programOf('selfserv'), ...args, ...(clientRoots ? ['-r', '-r'] : [])];
}

/** NSS completes a chain, its own too, from all certificates of the database. */
function createDatabase(listener: Listener, resources: Resources): Folder {
  const folder = resources.folder();
  const { chain, key, roots } = filesOf(folder, listener);
  const tools = dirname(programOf('selfserv'));
  const tool = (name: string, ...args: string[]) =>
    execFileSync(join(tools, name), ['-d', folder.path, ...args], { cwd: folder.path, stdio: 'pipe' });
  const openssl = (...args: string[]) => execFileSync(programOf('openssl'), args, { cwd: folder.path, stdio: 'pipe' });
  tool('certutil', '-N', '--empty-password');
  openssl(
    'pkcs12',
    '-export',
    '-in',
    chain,
    '-inkey',
    key,
    '-name',
    'server',
    '-passout',
    'pass:',
    '-out',
    'server.p12',
  );
  tool('pk12util', '-i', 'server.p12', '-W', '');
  // T: a trusted issuer of client certificates.
  if (roots) tool('certutil', '-A', '-n', 'platform', '-t', 'T,,', '-a', '-i', roots);
  for (const [index, list] of (listener.revoked?.split(/(?=-----BEGIN)/) ?? []).entries()) {
    openssl('crl', '-in', folder.write(`${index}.crl`, list), '-outform', 'DER', '-out', `${index}.der`);
    tool('crlutil', '-I', '-i', `${index}.der`, '-t', '1', '-B');
  }
  return folder;
}
