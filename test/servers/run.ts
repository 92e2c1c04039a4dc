// `npm run test:servers`: measures every server that is installed, says what is not as written down, and writes
// docs/servers.md.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expectations, type ServerName } from './expectations.ts';
import { missingFor } from './listener.ts';
import { measure } from './measure.ts';
import { expectedOf } from './outcomes.ts';
import { type PageContent, pageOf } from './page.ts';
import { rejectIdentities } from './rejected-identities.ts';
import { servers } from './servers.ts';

const page = join(import.meta.dirname, '../../docs/servers.md');

const results: PageContent['results'] = {};
let wrong = 0;
for (const name of Object.keys(expectations) as ServerName[]) {
  const server = servers[name];
  const missing = missingFor(server);
  if (missing) {
    console.log(`${server.title}: skipped, needs ${missing}`);
    continue;
  }
  const measured = await measure(server);
  const version = server.version();
  results[name] = { version, measured };
  const differing = measured.filter(
    ({ cell, version, outcome }) =>
      JSON.stringify(outcome) !== JSON.stringify(expectedOf(expectations[name], cell, version)),
  );
  wrong += differing.length;
  console.log(`${server.title} ${version}: ${measured.length} cells, ${differing.length} not as expected`);
  for (const { cell, version, outcome } of differing)
    console.log(`  ${version} ${cell}: ${Object.values(outcome).join(' · ')}`);
}
writeFileSync(page, pageOf({ machine: machine(), rejections: await rejectIdentities(), results }));
console.log('Written: docs/servers.md');
process.exitCode = wrong === 0 ? 0 : 1;

function machine(): string {
  const node = `Node ${process.versions.node} with OpenSSL ${process.versions.openssl}`;
  try {
    const system = /^PRETTY_NAME="(.*)"$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
    return `${system ?? process.platform}, ${node}`;
  } catch {
    return `${process.platform}, ${node}`;
  }
}
