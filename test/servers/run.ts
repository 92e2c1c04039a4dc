// `npm run test:servers`: measures every server that is installed, counts right, weak and wrong cells, and writes
// docs/servers.md.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expectations, type ServerName } from './expectations.ts';
import { judge } from './judgement.ts';
import { missingFor } from './listener.ts';
import { measure } from './measure.ts';
import { type PageContent, pageOf } from './page.ts';
import { rejectIdentities } from './rejected-identities.ts';
import { servers } from './servers.ts';

const page = join(import.meta.dirname, '../../docs/servers.md');

const results: PageContent['results'] = {};
let failures = 0;
const totals = { cells: 0, right: 0, weak: 0, wrong: 0 };
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
  const { counts, lines, isAcceptable } = judge(expectations[name], measured);
  failures += isAcceptable ? 0 : 1;
  for (const key of Object.keys(totals) as (keyof typeof totals)[]) totals[key] += counts[key];
  console.log(`${server.title} ${version}: ${shown(counts)}`);
  for (const line of lines) console.log(`  ${line}`);
}
console.log(`All: ${shown(totals)}`);
writeFileSync(page, pageOf({ machine: machine(), rejections: await rejectIdentities(), results }));
console.log('Written: docs/servers.md');
process.exitCode = failures === 0 ? 0 : 1;

function shown({ cells, right, weak, wrong }: typeof totals): string {
  return `${cells} cells, ${right} right, ${weak} weak, ${wrong} wrong`;
}

function machine(): string {
  const node = `Node ${process.versions.node} with OpenSSL ${process.versions.openssl}`;
  try {
    const system = /^PRETTY_NAME="(.*)"$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
    return `${system ?? process.platform}, ${node}`;
  } catch {
    return `${process.platform}, ${node}`;
  }
}
