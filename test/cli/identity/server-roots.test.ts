// import, destinations and doctor warn of certificates in serverRoots before a call fails for them.
import { expect, it } from 'vitest';
import type { Check } from '../../../cli/doctor/check.ts';
import { serverRootWarnings } from '../../../cli/identity/server-roots.ts';
import { createAuthority } from '../../../local/authority/authority.ts';
import { day, ground, issue } from '../../support/cli/identity-ground.ts';
import { runCommand } from '../../support/cli/run-command.ts';

const past = { notBefore: new Date(Date.now() - 90 * day), notAfter: new Date(Date.now() - day) };
const expired = createAuthority({ commonName: 'Old root', ...past });
const valid = createAuthority({ commonName: 'New root' });
const host = { host: 'api.acme.example' };

it.each([
  ['an expired root', expired.certificate, ['server-root-expired'], true],
  ['an expired root beside a valid one', expired.certificate + valid.certificate, ['server-root-expired'], false],
  ['an issuing CA', valid.intermediate({ commonName: 'Issuer' }).certificate, ['server-root-is-issuer'], false],
  [
    'a root that expires soon',
    createAuthority({ commonName: 'Root', notAfter: new Date(Date.now() + 5.5 * day) }).certificate,
    ['server-root-expires-soon'],
    false,
  ],
  [
    'a root that is not valid yet',
    createAuthority({ commonName: 'Root', notBefore: new Date(Date.now() + day) }).certificate,
    ['server-root-expired'],
    true,
  ],
  ['a valid root', valid.certificate, [], false],
  ['no certificate', 'nothing', [], false],
])('%s', (_what, serverRoots, codes, isFailure) => {
  const warnings = serverRootWarnings([{ ...host, serverRoots }, host, null], Date.now());
  expect(warnings.map(({ code }) => code)).toEqual(codes);
  expect(warnings.some((warning) => warning.isFailure)).toBe(isFailure);
  for (const { sentence } of warnings) expect(sentence).toContain('in the serverRoots of api.acme.example:443');
});

it('the commands report expired server roots', async () => {
  const on = ground();
  const roots = on.folder.write('roots.pem', expired.certificate);
  const file = on.pem('bot', issue());
  const destination = ['--destination', 'https://api.acme.example', '--server-roots', roots];
  const imported = await on.json(['import', 'bot', file, ...destination]);
  expect(imported.answer.warnings).toMatchObject([
    { code: 'server-root-expired', sentence: expect.stringContaining('CN=Old root') },
  ]);
  const changed = await on.identity(['destinations', 'bot', 'add', 'other.example', '--server-roots', roots]);
  expect(changed.error).toContain('The certificate CN=Old root in the serverRoots of other.example:443 expired');
  const { out } = await runCommand(['doctor', '--json', '--no-reach', '--source', on.source]);
  const { checks } = JSON.parse(out) as { checks: readonly Check[] };
  expect(checks.filter(({ check, status }) => check === 'identity' && status === 'failure')).toMatchObject([
    { subject: 'bot', detail: expect.stringContaining('in the serverRoots of api.acme.example:443 expired') },
    { subject: 'bot', detail: expect.stringContaining('in the serverRoots of other.example:443 expired') },
  ]);
});
