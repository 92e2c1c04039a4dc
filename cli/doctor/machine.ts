// What can be said of the machine itself: the Node that runs, and the settings in the environment.
import { readSettings, variables } from '../../core/settings.ts';
import type { Check } from './check.ts';

/** What everything is tried with; npm ci brings it. */
const triedMajor = 24;

export function checkNode(version: string): Check {
  const major = Number(version.split('.')[0]);
  const detail = `Node ${version}, OpenSSL ${process.versions.openssl}`;
  if (major === triedMajor) return { check: 'node', status: 'ok', detail };
  return {
    check: 'node',
    status: 'warning',
    detail: `${detail}; Countersign is tried with Node ${triedMajor}`,
    remedy: `Run the command with npx, or with the Node that npm ci puts into node_modules/.bin.`,
  };
}

const known: ReadonlySet<string> = new Set([
  ...Object.values(variables),
  'COUNTERSIGN_OPTIONS',
  'COUNTERSIGN_TRACE',
  'COUNTERSIGN_NO_INSTALL',
]);

/** Names of variables are told, never what they hold. */
export function checkSettings(environment: Readonly<Record<string, string | undefined>>): Check[] {
  const warn = (subject: string, detail: string, remedy: string): Check => ({
    check: 'settings',
    subject,
    status: 'warning',
    detail,
    remedy,
  });
  const found: Check[] = [];
  try {
    readSettings({ ...environment, [variables.identitySource]: undefined });
  } catch (thrown) {
    found.push({
      check: 'settings',
      status: 'failure',
      detail: (thrown as Error).message,
      remedy: 'Correct the variable, or unset it.',
    });
  }
  for (const name of Object.keys(environment).sort()) {
    if (name.startsWith('COUNTERSIGN_') && !known.has(name)) {
      found.push(
        warn(name, 'is set, and is no setting of Countersign', 'Check its spelling: docs/deploy.md has them all.'),
      );
    }
  }
  const nodeOptions = environment.NODE_OPTIONS ?? '';
  if (/--tls-keylog/.test(nodeOptions)) {
    found.push(warn('NODE_OPTIONS', 'writes the keys of every connection to a file', 'Take --tls-keylog out of it.'));
  }
  if (/--inspect/.test(nodeOptions)) {
    found.push(warn('NODE_OPTIONS', 'lets a debugger read the private keys', 'Take --inspect out of it.'));
  }
  const proxy = ['HTTPS_PROXY', 'https_proxy'].find((name) => environment[name]);
  if (proxy !== undefined) {
    found.push(
      warn(
        proxy,
        'is set, and Countersign goes to destinations directly',
        'Open the way there in the firewall: a proxy is not used.',
      ),
    );
  }
  return found.length > 0 ? found : [{ check: 'settings', status: 'ok', detail: 'the environment is sound' }];
}
