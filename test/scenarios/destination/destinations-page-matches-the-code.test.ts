// docs/destinations.md, tried: its list, each row of its table of URLs, and the command that makes a pin.
import { execFileSync } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import { admit } from '../../../core/destination/guard.ts';
import { destinationsSchema } from '../../../core/destination/schema.ts';
import { parseTarget } from '../../../core/destination/target.ts';
import { createAuthority } from '../../../local/authority/authority.ts';
import { findPeer } from '../../support/peers.ts';

const page = readFileSync(join(import.meta.dirname, '../../../docs/destinations.md'), 'utf8');
const destinations = v.parse(destinationsSchema, JSON.parse(/```json\n(.+?)```/s.exec(page)?.[1] ?? ''));
const rows = [...page.matchAll(/^\| `(https?:[^`]+)` +\| (?:`([^`]+)`|(forbidden)).* \|$/gm)];

function outcome(url: string): string {
  try {
    return admit(parseTarget(url), destinations).host;
  } catch (error) {
    return (error as { code: string }).code;
  }
}

describe('docs/destinations.md', () => {
  it('has rows with examples', () => expect(rows.length).toBeGreaterThan(5));

  it.each(rows.map(([, url = '', host]) => [url, host ?? 'destination-forbidden']))('%s: %s', (url, expected) => {
    expect(outcome(url)).toBe(expected);
  });

  it('names every field of a destination, and its default', () => {
    const [standard] = v.parse(destinationsSchema, undefined);
    const entries = destinationsSchema.wrapped.pipe[0].item.pipe[0].entries;
    for (const field of Object.keys(entries)) expect(page).toMatch(new RegExp(`^\\| .*\`${field}\``, 'm'));
    expect(standard).toMatchObject({ host: '*', port: 443, requireMutual: false, network: 'public' });
  });

  it.skipIf(!findPeer('openssl'))('has a command whose output is a pin after sha256/ (needs openssl)', () => {
    const folder = mkdtempSync(join(tmpdir(), 'countersign-pin-'));
    try {
      const { certificate } = createAuthority({ commonName: 'api.acme.example' });
      writeFileSync(join(folder, 'server.pem'), certificate);
      const command = /## Pins\n.*?```sh\n(.+?)```/s.exec(page)?.[1] ?? '';
      const output = execFileSync('sh', ['-c', command], { cwd: folder, encoding: 'utf8', stdio: 'pipe' }).trim();
      const key = new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'der' });
      expect(output).toBe(createHash('sha256').update(key).digest('base64'));
      expect(v.parse(destinationsSchema, [{ host: '*', serverPins: [`sha256/${output}`] }])).toHaveLength(1);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
