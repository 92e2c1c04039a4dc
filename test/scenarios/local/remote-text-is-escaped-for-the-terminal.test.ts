// `npm run diagnose` escapes the text of servers and gateways; only its own colours reach the terminal.
import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { diagnosisLines } from '../../../cli/diagnosis-text.ts';
import { painter } from '../../../cli/output.ts';
import type { Diagnosis } from '../../../core/diagnosis/diagnosis.ts';
import { escapeJsonForTerminal } from '../../../core/escape-for-terminal.ts';

const evil = '\u001b[31m\u001b[2J\u009b31m\u202e\u2028\u{e0041}red';
const steering = /[^\P{Cc}\n]|[\p{Cf}\p{Zl}\p{Zp}]/u;
const root = resolve(import.meta.dirname, '../../..');

const diagnosis = {
  verdict: 'not-mutual',
  certainty: 'observed',
  url: 'https://api.example/',
  identity: { name: 'platform', version: evil },
  steps: [
    {
      step: 1,
      name: 'request the endpoint',
      status: 'warning',
      durationMs: 1,
      findings: [{ code: 'connection-refused', severity: 'warning', detail: evil, certainty: 'observed' }],
    },
  ],
  remedies: [{ who: 'customer', do: evil }],
  totalMs: 1,
} as Diagnosis;

it('a diagnosis, with colours and without', () => {
  const plain = diagnosisLines(diagnosis, painter(false)).join('\n');
  expect(plain).toContain('\\u001b[31m');
  expect(plain).not.toMatch(steering);
  const coloured = diagnosisLines(diagnosis, painter(true)).join('\n');
  expect(coloured).not.toBe(plain);
  expect(stripVTControlCharacters(coloured).replace(/ +$/gm, '')).toBe(plain);
});

it('JSON, which says the same', () => {
  const text = escapeJsonForTerminal(diagnosis);
  expect(text).not.toMatch(steering);
  expect(JSON.parse(text)).toEqual(diagnosis);
});

it.each([
  ['a problem', 404, { code: evil, detail: evil, hint: evil }],
  ['a diagnosis', 200, diagnosis],
])('%s of a gateway', async (_what, status, body) => {
  const gateway = createServer((_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  });
  await new Promise<void>((done) => gateway.listen(0, '127.0.0.1', done));
  onTestFinished(() => void gateway.close());
  const api = `http://127.0.0.1:${(gateway.address() as AddressInfo).port}`;
  for (const more of [[], ['--json']]) {
    const args = ['cli/main.ts', 'diagnose', 'https://api.example', '--api', api, ...more];
    const printed = await new Promise<string>((done) => {
      execFile(process.execPath, args, { cwd: root, env: { PATH: process.env.PATH } }, (_error, out, error) =>
        done(out + error),
      );
    });
    expect(printed).toContain('red');
    expect(printed).not.toMatch(steering);
  }
});
