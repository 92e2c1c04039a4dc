// The identities that the recorded requests name: one that works, and those that cannot be used.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { fingerprintOf, type Issued, makeKey } from './certificates.ts';
import { type Customers, startCustomers } from './customers.ts';
import { createMasks, type Masks } from './masks.ts';
import { root } from './programs.ts';

export interface Ground {
  readonly masks: Masks;
  readonly customers: Customers;
  /** A new folder, removed after the test. */
  readonly folder: string;
  readonly identities: readonly RecordedIdentity[];
}

/** Customers, a folder and the identities, with their masks. */
export async function openGround(): Promise<Ground> {
  const masks = createMasks();
  const customers = await startCustomers(masks);
  onTestFinished(customers.close);
  const folder = mkdtempSync(join(tmpdir(), 'countersign-recorded-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  masks.name(folder, 'folder');
  masks.name(root, 'repository');
  const identities = await makeIdentities(customers);
  for (const { name, issued } of identities) {
    if (issued.certificate) masks.name(fingerprintOf(issued.certificate), `fingerprint of ${name}`);
  }
  return { masks, customers, folder, identities };
}

export interface RecordedIdentity {
  readonly name: string;
  readonly issued: Partial<Issued>;
  readonly destinations?: readonly object[];
  /** Of the document; files have none. */
  readonly renewal?: object;
  /** In place of a document or of the certificate's file. */
  readonly garbage?: string;
}

export async function makeIdentities({ authorities, destinations }: Customers): Promise<RecordedIdentity[]> {
  const [key, other] = await Promise.all([makeKey(), makeKey()]);
  const client = (commonName: string, more = {}) =>
    authorities.platform.issue(commonName, key, { usage: 'client', ...more });
  const sound = client('bot');
  return [
    { name: 'bot', issued: sound, destinations },
    { name: 'expired', issued: client('expired', { from: -30, to: -2 }), destinations },
    { name: 'mismatch', issued: { ...client('mismatch'), privateKey: other.privateKey }, destinations },
    { name: 'incomplete', issued: { ...client('incomplete'), intermediates: '' }, destinations },
    { name: 'garbage', issued: {}, garbage: '{"privateKey": "hunter2' },
    { name: 'empty', issued: {}, renewal: { issuer: { kind: 'manual' }, subject: 'CN=empty' } },
    { name: 'open', issued: client('open') },
    { name: 'nowhere', issued: client('nowhere'), destinations: [] },
  ];
}

/** As Secrets Manager keeps it. */
export function documentOf({ issued, destinations, garbage, renewal }: RecordedIdentity): string {
  if (garbage !== undefined) return garbage;
  const { privateKey, certificate, intermediates, root } = issued;
  return JSON.stringify({
    privateKey,
    certificate,
    intermediateCertificates: intermediates || undefined,
    rootCertificate: root,
    destinations,
    renewal,
  });
}

export function writeFolder(folder: string, identity: RecordedIdentity): void {
  const { name, issued, destinations, garbage } = identity;
  const place = join(folder, name);
  mkdirSync(place, { recursive: true, mode: 0o700 });
  const files = {
    'private-key.pem': issued.privateKey,
    'certificate.pem': garbage ?? issued.certificate,
    'intermediates.pem': issued.intermediates || undefined,
    'root.pem': issued.root,
    'destinations.json': destinations && JSON.stringify(destinations),
  };
  for (const [file, text] of Object.entries(files)) {
    if (text !== undefined) writeFileSync(join(place, file), text, { mode: 0o600 });
  }
}
