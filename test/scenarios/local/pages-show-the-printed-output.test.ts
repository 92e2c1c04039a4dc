// README.md and docs/diagnosis.md show what `npm start` and `npm run diagnose` print today, but for times, ports and
// what is new in each run.
import { readFileSync } from 'node:fs';
import { expect, it, onTestFinished } from 'vitest';
import { openly } from '../../../cli/api/access.ts';
import { openOverHttp } from '../../../cli/api/over-http.ts';
import { diagnosisLines } from '../../../cli/diagnosis-text.ts';
import { painter } from '../../../cli/output.ts';
import { platformIdentity } from '../../../core/settings.ts';
import { startCloud } from '../../../local/cloud.ts';
import { callThroughGateway, invocationOf } from '../../../local/demo-call.ts';
import { callLines } from '../../../local/print.ts';
import { privateFolder } from '../../support/program.ts';

const readme = readFileSync('README.md', 'utf8');
const page = readFileSync('docs/diagnosis.md', 'utf8');
const plain = painter(false);

function timeless(text: string): string {
  return text
    .replaceAll(/\d+\.\d+ ms/g, '0 ms')
    .replaceAll(/ +/g, ' ')
    .replaceAll(/\d{4}-\d\d-\d\d/g, 'date')
    .replaceAll(/SHA-256 [0-9A-F:]+/g, 'SHA-256 AB');
}

it('the call, the diagnosis behind it, and the diagnosis of a host that refuses us', { timeout: 60_000 }, async () => {
  const { path } = privateFolder();
  const fail = (name: string, reason: unknown) => console.error(name, reason);
  const ports = { gateway: 0, secrets: 0, authority: 0, events: 0, api: 0 };
  const cloud = await startCloud({ folder: path, ports, onFailure: fail });
  onTestFinished(() => cloud.close());
  const [healthy] = cloud.hosts;
  const rejecting = cloud.hosts.find(({ behaviour }) => behaviour.kind === 'rejecting');
  if (!healthy || !rejecting) throw new Error('The demo API has no such hosts.');

  const diagnosed = async ({ host, port }: typeof healthy): Promise<string> => {
    const url = `https://${host}:${port}`;
    const result = await openOverHttp(new URL(cloud.gatewayUrl), openly).diagnose(platformIdentity, { url });
    if ('problem' in result) throw new Error(JSON.stringify(result.problem));
    return timeless(diagnosisLines(result.answer, plain).join('\n'));
  };
  const call = callLines(await callThroughGateway(cloud.gatewayUrl, invocationOf(healthy)), plain);
  expect(timeless(readme)).toContain(timeless(call.join('\n')));
  expect(timeless(readme)).toContain(await diagnosed(healthy));
  const refused = await diagnosed(rejecting);
  expect(timeless(readme)).toContain(refused);
  expect(timeless(page)).toContain(refused);
});
