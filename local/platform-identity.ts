// Stores the platform's identity in the local Secrets Manager, and renews it before it expires.
import { X509Certificate } from 'node:crypto';
import {
  CreateSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  ResourceNotFoundException,
  type SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { type DemoAuthorities, platformRootName } from './demo-api/authorities.ts';
import type { RunningHost } from './demo-api/server.ts';

interface Document {
  privateKey?: unknown;
  certificate?: unknown;
  intermediateCertificates?: unknown;
  rootCertificate?: unknown;
  destinations?: unknown;
  renewal?: unknown;
}

const day = 86_400_000;
const lifetime = 90 * day;
const renewBefore = 30 * day;
/** Rotations test each destination without a wildcard; a silent one would delay each rotation. */
const wildcard = '*.demo.localhost';

export interface PlatformIdentityOptions {
  readonly client: SecretsManagerClient;
  readonly secretId: string;
  readonly authorities: DemoAuthorities;
  readonly hosts: readonly RunningHost[];
  /** Where the demo's authority signs the next certificate. */
  readonly authorityUrl: string;
  readonly now: Date;
  /** Called with a sentence for the user. */
  readonly onNotice?: (sentence: string) => void;
}

/**
 * An identity that the user stored under this name keeps its key, certificates, other destinations (any public host, if
 * it lists none) and other members. Only the destinations of the demo's hosts are set, and the URL of the demo's
 * authority if its renewal uses that.
 * @returns what was done
 */
export async function storePlatformIdentity(
  options: PlatformIdentityOptions,
): Promise<'created' | 'renewed' | 'updated' | 'kept'> {
  const { client, secretId: SecretId } = options;
  const stored = await readSecret(client, SecretId);
  if (stored === undefined) {
    const SecretString = JSON.stringify({
      ...issue(options),
      destinations: destinationsFor(options),
      renewal: demoRenewal(options),
    });
    await client.send(new CreateSecretCommand({ Name: SecretId, SecretString }));
    return 'created';
  }
  const current = parse(stored, SecretId);
  const isDemo = isDemoIdentity(current);
  const isDue = isDemo && isWornOut(current, options);
  const renewal = isDemo && current.renewal === undefined ? demoRenewal(options) : followed(current.renewal, options);
  const next = {
    ...current,
    ...(isDue && issue(options)),
    destinations: destinationsFor(options, current),
    ...(renewal === undefined ? {} : { renewal }),
  };
  if (!sameCertificate(next.rootCertificate, options.authorities.platform.root))
    options.onNotice?.(ownNotice(SecretId));
  const SecretString = JSON.stringify(next);
  if (SecretString === stored) return 'kept';
  await client.send(new PutSecretValueCommand({ SecretId, SecretString }));
  return isDue ? 'renewed' : 'updated';
}

async function readSecret(client: SecretsManagerClient, SecretId: string): Promise<string | undefined> {
  try {
    return (await client.send(new GetSecretValueCommand({ SecretId }))).SecretString ?? '';
  } catch (error) {
    if (error instanceof ResourceNotFoundException) return undefined;
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`The secret ${SecretId} of the local Secrets Manager cannot be read: ${reason}`, { cause: error });
  }
}

function parse(text: string, secretId: string): Document {
  try {
    const document: unknown = JSON.parse(text);
    if (typeof document === 'object' && document !== null && !Array.isArray(document)) return document;
  } catch {
    // The message below must not quote the secret.
  }
  throw new Error(
    `The secret ${secretId} of the local Secrets Manager holds no identity document: delete it or put one.`,
  );
}

function issue({ authorities: { platform }, now }: PlatformIdentityOptions): Document {
  const issued = platform.issue({
    commonName: 'countersign-platform',
    usage: 'client',
    notBefore: new Date(now.getTime() - day),
    notAfter: new Date(now.getTime() + lifetime),
  });
  return {
    privateKey: issued.privateKey,
    certificate: issued.certificate,
    intermediateCertificates: issued.intermediates,
    rootCertificate: issued.root,
  };
}

/** `proceed`: a customer that pins the old certificate gets AWSPREVIOUS and does not stop a rotation. */
function demoRenewal({ authorityUrl: url }: PlatformIdentityOptions): object {
  return { issuer: { kind: 'local', url }, onRejection: 'proceed' };
}

/** The port can differ from that of the last start. */
function followed(renewal: unknown, { authorityUrl: url }: PlatformIdentityOptions): unknown {
  const issuer = (renewal as { issuer?: { kind?: unknown } | null } | null | undefined)?.issuer;
  return issuer?.kind === 'local' ? { ...(renewal as object), issuer: { ...issuer, url } } : renewal;
}

/** Also true for an earlier state folder, whose root has the same name. */
function isDemoIdentity({ rootCertificate }: Document): boolean {
  return certificateOf(rootCertificate)?.subject === `CN=${platformRootName}`;
}

function sameCertificate(one: unknown, other: unknown): boolean {
  const fingerprint = certificateOf(one)?.fingerprint256;
  return fingerprint !== undefined && fingerprint === certificateOf(other)?.fingerprint256;
}

function ownNotice(secretId: string): string {
  return `The secret ${secretId} holds an identity of your own, whose root the demo API does not trust: it refuses it at step 5. Delete the secret and start again for the demo's.`;
}

function isWornOut(document: Document, { authorities, now }: PlatformIdentityOptions): boolean {
  const certificate = certificateOf(document.certificate);
  if (!certificate || !sameCertificate(document.rootCertificate, authorities.platform.root)) return true;
  return certificate.validToDate.getTime() - now.getTime() < renewBefore;
}

function certificateOf(pem: unknown): X509Certificate | undefined {
  try {
    return new X509Certificate(String(pem));
  } catch {
    return undefined;
  }
}

/** The demo's hosts with their current ports, then the other destinations. */
function destinationsFor({ hosts, authorities }: PlatformIdentityOptions, current?: Document): object[] {
  const listed = current && 'destinations' in current ? current.destinations : current && [{ host: '*' }];
  const others = Array.isArray(listed) ? (listed as { host?: unknown }[]) : [];
  const own = new Set<unknown>([wildcard, ...hosts.map(({ host }) => host)]);
  return [
    ...hosts.map(({ host, port, behaviour }) => ({
      host: behaviour.kind === 'silent' ? wildcard : host,
      port,
      serverRoots: authorities.customer.certificate,
      network: 'loopback',
    })),
    ...others.filter((destination) => !own.has(destination?.host)),
  ];
}
