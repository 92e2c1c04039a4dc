// lighttpd over each TLS library that it has a module for: a socket for each listener.
import { findLibrary, type Library } from '../support/peers.ts';
import { freePort } from '../support/port.ts';
import {
  type Condition,
  ciphersOf,
  clientSignaturesOf,
  filesOf,
  groupsOf,
  type Listener,
  portsOf,
  programOf,
  type RealServer,
  versionOf,
} from './listener.ts';
import { accepting, type Folder, type Resources } from './resources.ts';

interface Module {
  readonly title: string;
  readonly library: Extract<Library, `lighttpd-mod-${string}`>;
  readonly conditions: readonly Condition[];
  /** `ssl.openssl.ssl-conf-cmd`, of which each module has its own selection. */
  commandsOf(listener: Listener): string[];
}

export const lighttpd = lighttpdOver({
  title: 'lighttpd',
  library: 'lighttpd-mod-openssl',
  conditions: ['clock', 'depth', 'p256Only', 'sha1'],
  commandsOf(listener) {
    const signatures = clientSignaturesOf(listener);
    return [
      ...versionsOf(listener),
      `"CipherString" => "${ciphersOf(listener)}"`,
      ...(signatures ? [`"ClientSignatureAlgorithms" => "${signatures}"`] : []),
      ...(listener.p256Only ? ['"Groups" => "P-256"'] : []),
    ];
  },
});

export const lighttpdGnutls = lighttpdOver({
  title: 'lighttpd over GnuTLS',
  library: 'lighttpd-mod-gnutls',
  conditions: ['clock', 'depth'],
  commandsOf({ protocol, rsaClientsOnly }) {
    // GnuTLS has no separate setting for the signatures of clients.
    const signatures = rsaClientsOnly ? ':-SIGN-ALL:+SIGN-RSA-PSS-RSAE-SHA256:+SIGN-RSA-SHA256' : '';
    const level = protocol === 'TLSv1.1' ? 'LEGACY' : 'NORMAL';
    return [`"gnutls-override" => "${level}:-VERS-ALL:+VERS-${protocol.replace('TLSv', 'TLS')}${signatures}"`];
  },
});

export const lighttpdWolfssl = lighttpdOver({
  title: 'lighttpd over wolfSSL',
  library: 'lighttpd-mod-wolfssl',
  // Under another clock it does not start: it loads no authority that is not valid.
  conditions: [],
  commandsOf: versionsOf,
});

export const lighttpdMbedtls = lighttpdOver({
  title: 'lighttpd over mbedTLS',
  library: 'lighttpd-mod-mbedtls',
  conditions: ['clock', 'depth', 'p256Only'],
  commandsOf: (listener) => [...versionsOf(listener), ...(listener.p256Only ? ['"Curves" => "secp256r1"'] : [])],
});

function versionsOf({ protocol }: Listener): string[] {
  return [`"MinProtocol" => "${protocol}"`, `"MaxProtocol" => "${protocol}"`];
}

function lighttpdOver({ title, library, conditions, commandsOf }: Module): RealServer {
  return {
    title,
    needs: ['lighttpd'],
    version: () => versionOf('lighttpd', ['-v']),
    conditions,
    missing: () => (findLibrary(library) ? undefined : library),
    async start(listeners, resources) {
      // mod_wolfssl trusts every ca-file for every socket.
      const groups = groupsOf(listeners, ({ clientRoots = '' }) => clientRoots);
      await Promise.all(groups.map((group) => startOne(group, resources)));
    },
  };

  async function startOne(listeners: readonly Listener[], resources: Resources): Promise<void> {
    const folder = resources.folder();
    folder.write('index.html', 'granted\n', 0o644);
    const configuration = `
server.modules = ("${library.replace('lighttpd-mod-', 'mod_')}")
server.document-root = "${folder.path}"
index-file.names = ("index.html")
mimetype.assign = (".html" => "text/plain")
server.bind = "127.0.0.1"
server.port = ${await freePort()}
${listeners.map((listener) => socket(listener, folder, commandsOf(listener))).join('\n')}
`;
    const args = ['-D', '-f', folder.write('lighttpd.conf', configuration)];
    const program = resources.start(programOf('lighttpd'), args, { cwd: folder.path });
    await accepting(program, portsOf(listeners));
  }
}

function socket(listener: Listener, folder: Folder, commands: readonly string[]): string {
  const { chain, key, roots, revoked } = filesOf(folder, listener);
  const { depth = 3 } = listener;
  const demand = `
    ssl.verifyclient.activate = "enable"
    ssl.verifyclient.enforce = "enable"
    ssl.verifyclient.depth = ${depth}
    ssl.verifyclient.ca-file = "${roots}"`;
  return `$SERVER["socket"] == "127.0.0.1:${listener.port}" {
    ssl.engine = "enable"
    ssl.pemfile = "${chain}"
    ssl.privkey = "${key}"
    ssl.openssl.ssl-conf-cmd = (${commands.join(', ')})
    ${roots ? demand : ''}
    ${revoked ? `ssl.verifyclient.ca-crl-file = "${revoked}"` : ''}
  }`;
}
