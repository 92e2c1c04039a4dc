// smallstep's certificate authority, built from Debian's package of its source, without anything downloaded.
import { execFile } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CompactEncrypt, calculateJwkThumbprint, type JWK } from 'jose';
import { type Authority, createAuthority } from '../../../local/authority/authority.ts';
import { findLibrary, findPeer } from '../peers.ts';
import { privateFolder, startProgram } from '../program.ts';

/** What is missing, for the name of a suite that is skipped; undefined when it can be built. */
export const smallstepNeeds =
  findPeer('go') && findLibrary('smallstep') ? undefined : 'golang-go and golang-github-smallstep-certificates-dev';

export interface BuiltStepCa {
  readonly path: string;
  remove(): void;
}

/**
 * 15 to 30 s on two idle cores where Go's cache is empty, 1 to 2 s where it is not. Without cgo: there may be no C
 * compiler.
 */
export async function buildStepCa(): Promise<BuiltStepCa> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-step-ca-'));
  const path = join(folder, 'step-ca');
  const source = join(import.meta.dirname, 'programs', 'step-ca.go');
  const env = {
    ...process.env,
    CGO_ENABLED: '0',
    GO111MODULE: 'off',
    GOFLAGS: '',
    GOPROXY: 'off',
    // The first folder is where Go would write; Debian's sources stand in the second.
    GOPATH: `${folder}:/usr/share/gocode`,
  };
  await promisify(execFile)(findPeer('go') ?? 'go', ['build', '-o', path, source], { cwd: folder, env });
  return { path, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

export interface StepCaProvisioner {
  readonly name: string;
  /** Private, as JSON. */
  readonly key: string;
  readonly publicKey: JWK;
}

export type ProvisionerKeyKind = 'EC P-256' | 'EC P-384' | 'RSA' | 'Ed25519';

export async function createProvisioner(kind: ProvisionerKeyKind = 'EC P-256'): Promise<StepCaProvisioner> {
  const jwk = newKey(kind).export({ format: 'jwk' }) as JWK;
  const kid = await calculateJwkThumbprint(jwk);
  const { d, p, q, dp, dq, qi, ...publicKey } = { ...jwk, kid, use: 'sig' };
  return { name: 'countersign', key: JSON.stringify({ ...jwk, kid }), publicKey };
}

function newKey(kind: ProvisionerKeyKind) {
  if (kind === 'RSA') return generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  if (kind === 'Ed25519') return generateKeyPairSync('ed25519').privateKey;
  return generateKeyPairSync('ec', { namedCurve: kind === 'EC P-256' ? 'P-256' : 'P-384' }).privateKey;
}

/** As `step ca provisioner add` writes `encryptedKey`. */
export function encryptedKey({ key }: StepCaProvisioner, password: string): Promise<string> {
  return new CompactEncrypt(Buffer.from(key))
    .setProtectedHeader({ alg: 'PBES2-HS256+A128KW', enc: 'A256GCM', cty: 'jwk+json' })
    .setKeyManagementParameters({ p2c: 100_000 })
    .encrypt(Buffer.from(password));
}

export interface StepCaOptions {
  readonly provisioner: StepCaProvisioner;
  /** Of the provisioner: durations as Go writes them, `disableRenewal`. */
  readonly claims?: Readonly<Record<string, string | boolean>>;
  /** A template for certificates (https://smallstep.com/docs/step-ca/templates); its own otherwise. */
  readonly template?: string;
}

export interface StepCa {
  readonly url: string;
  readonly root: Authority;
  /** The authority that signs; here so that a test can make what it would never sign. */
  readonly intermediate: Authority;
  /** PEM. */
  readonly roots: string;
}

/** Stopped with the test. */
export async function startStepCa(built: BuiltStepCa, options: StepCaOptions): Promise<StepCa> {
  const folder = privateFolder();
  const root = createAuthority({ commonName: 'Smallstep root' });
  const intermediate = root.intermediate({ commonName: 'Smallstep intermediate' });
  const { name, publicKey } = options.provisioner;
  const configuration = {
    root: folder.write('root.pem', root.certificate),
    crt: folder.write('intermediate.pem', intermediate.certificate),
    key: folder.write('key.pem', intermediate.privateKey),
    address: '127.0.0.1:0',
    dnsNames: ['localhost', '127.0.0.1'],
    authority: {
      provisioners: [
        {
          type: 'JWK',
          name,
          key: publicKey,
          claims: { maxTLSCertDuration: '2400h', defaultTLSCertDuration: '720h', ...options.claims },
          ...(options.template ? { options: { x509: { template: options.template } } } : {}),
        },
      ],
    },
  };
  const program = startProgram(built.path, [folder.write('ca.json', JSON.stringify(configuration))], folder.path);
  const port = await new Promise<string>((resolve, reject) => {
    program.child.stdout?.on('data', () => {
      const found = /^port (\d+)$/m.exec(program.output())?.[1];
      if (found) resolve(found);
    });
    program.child.once('close', () => reject(new Error(`step-ca ended: ${program.output()}`)));
  });
  return { url: `https://localhost:${port}`, root, intermediate, roots: root.certificate };
}
