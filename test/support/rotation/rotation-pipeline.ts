// A rotation pipeline on loopback: the local Secrets Manager, the authority that signs, the bus, and the function's own
// story.
import { createPrivateKey, randomUUID, X509Certificate } from 'node:crypto';
import {
  CreateSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  RotateSecretCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { expect, onTestFinished, vi } from 'vitest';
import { openEventPublisher } from '../../../core/events/event-publisher.ts';
import type { Issuer } from '../../../core/issuers/issuer.ts';
import { openIssuer } from '../../../core/issuers/open-issuer.ts';
import { createRotate, type RotationCall, rotationSteps } from '../../../core/rotation/rotate.ts';
import type { RotationServices } from '../../../core/rotation/rotation.ts';
import type { Telemetry } from '../../../core/telemetry/telemetry.ts';
import { openVersions } from '../../../core/versions/versions.ts';
import { readCertificateRequest } from '../../../core/x509/certificate.ts';
import type { Authority } from '../../../local/authority/authority.ts';
import { type AuthorityServer, startAuthority } from '../../../local/authority/server.ts';
import { startSecretsManager } from '../../../local/secrets-manager/server.ts';
import { privateFolder } from '../program.ts';
import { type Authorities, createAuthorities } from '../stage.ts';
import { type EventBus, startBus } from './event-bus.ts';

export const prefix = 'countersign/identities/';
const functionArn = 'arn:aws:lambda:us-east-1:123456789012:function:rotate';
const day = 86_400_000;

export interface StepEvent {
  readonly SecretId: string;
  readonly ClientRequestToken: string;
}

export interface Pipeline {
  readonly telemetry: Telemetry;
  readonly authorities: Authorities;
  readonly authority: AuthorityServer;
  readonly bus: EventBus;
  readonly client: SecretsManagerClient;
  readonly secretsUrl: string;
  readonly lines: Record<string, unknown>[];
  /** The document of an identity of the platform's issuer, renewed with `local`. */
  document(
    more?: object,
    certificate?: { readonly keyAlgorithm?: 'EC_P256' | 'RSA_2048'; readonly notAfter?: Date },
  ): object;
  create(identity: string, document: object | undefined): Promise<void>;
  /** Starts a rotation; the test runs the steps. */
  rotateSecret(identity: string, options?: { readonly testOnly?: boolean }): Promise<StepEvent>;
  rotate(services?: Partial<RotationServices>): ReturnType<typeof createRotate>;
  /** Runs the four steps. */
  run(event: StepEvent, services?: Partial<RotationServices>): Promise<void>;
  stages(identity: string): Promise<Record<string, readonly string[]>>;
  // biome-ignore lint/suspicious/noExplicitAny: each test asserts on the members it is about
  value(identity: string, which?: { VersionStage?: string; VersionId?: string }): Promise<any>;
}

export async function openPipeline(): Promise<Pipeline> {
  const authorities = createAuthorities();
  const authority = await startAuthority({ authority: authorities.platformIssuer, port: 0 });
  const bus = await startBus();
  let endRotations = (_: Error) => {};
  const held = new Promise<void>((_, reject) => {
    endRotations = reject;
  });
  held.catch(() => {});
  const secrets = await startSecretsManager({
    folder: privateFolder().path,
    port: 0,
    // RotateSecret creates the pending version; then its own run waits, and the test runs the steps.
    rotationFunctions: () => () => held,
    rotationTiming: { delaysMs: [] },
  });
  vi.stubEnv('AWS_REGION', 'us-east-1');
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'local');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'local');
  vi.stubEnv('AWS_ENDPOINT_URL_SECRETS_MANAGER', secrets.url);
  vi.stubEnv('AWS_ENDPOINT_URL_EVENTBRIDGE', bus.url);
  const client = new SecretsManagerClient({});
  onTestFinished(async () => {
    client.destroy();
    vi.unstubAllEnvs();
    endRotations(new Error('The test has ended.'));
    await secrets.close();
    await authority.close();
  });
  const written: string[] = [];
  const telemetry: Telemetry = { write: (line) => written.push(line) };
  const versions = openVersions({ prefix });
  const events = await openEventPublisher('certificates', telemetry);
  const idOf = (identity: string) => ({ SecretId: prefix + identity });

  const pipeline: Pipeline = {
    telemetry,
    authorities,
    authority,
    bus,
    client,
    secretsUrl: secrets.url,
    get lines() {
      return written.map((line) => JSON.parse(line) as Record<string, unknown>);
    },
    document(more = {}, { keyAlgorithm = 'EC_P256', notAfter = new Date(Date.now() + 30 * day) } = {}) {
      const notBefore = new Date(notAfter.getTime() - 60 * day);
      const issued = authorities.platformIssuer.issue({
        commonName: 'bot-platform',
        usage: 'client',
        keyAlgorithm,
        notBefore,
        notAfter,
      });
      return {
        privateKey: issued.privateKey,
        certificate: issued.certificate,
        intermediateCertificates: issued.intermediates,
        rootCertificate: issued.root,
        destinations: [],
        renewal: { issuer: { kind: 'local', url: authority.url } },
        ...more,
      };
    },
    async create(identity, document) {
      const value = document === undefined ? {} : { SecretString: JSON.stringify(document) };
      await client.send(new CreateSecretCommand({ Name: prefix + identity, ...value }));
    },
    async rotateSecret(identity, { testOnly = false } = {}) {
      const ClientRequestToken = randomUUID();
      const answer = await client.send(
        new RotateSecretCommand({
          ...idOf(identity),
          ClientRequestToken,
          RotationLambdaARN: functionArn,
          RotationRules: { AutomaticallyAfterDays: 30 },
          RotateImmediately: !testOnly,
        }),
      );
      return { SecretId: answer.ARN ?? '', ClientRequestToken };
    },
    rotate: (services) =>
      createRotate({
        telemetry,
        prefix,
        versions,
        openIssuer,
        events,
        renewals: {},
        now: Date.now,
        sleep: async () => {},
        ...services,
      }),
    async run(event, services) {
      const rotate = pipeline.rotate(services);
      for (const Step of rotationSteps) await rotate({ Step, ...event }, call());
    },
    async stages(identity) {
      const { VersionIdsToStages } = await client.send(new DescribeSecretCommand(idOf(identity)));
      return VersionIdsToStages ?? {};
    },
    async value(identity, which = {}) {
      const { SecretString } = await client.send(new GetSecretValueCommand({ ...idOf(identity), ...which }));
      return JSON.parse(SecretString ?? 'null');
    },
  };
  return pipeline;
}

export function call(remainingMs = 60_000): RotationCall {
  return { requestId: 'request-1', remainingMs };
}

/** An issuer with the given `issue`. */
export function issuerThat(issue: Issuer['issue']): Pick<RotationServices, 'openIssuer'> {
  return { openIssuer: async () => ({ issue }) };
}

export function expectUsable(document: { certificate: string; privateKey: string }): void {
  const certificate = new X509Certificate(document.certificate);
  expect(certificate.checkPrivateKey(createPrivateKey(document.privateKey))).toBe(true);
}

/** Signs the requested names, without idempotency. */
export function signedBy({ certify }: Pick<Authority, 'certify'>): Issuer['issue'] {
  return async ({ certificateRequest }) => {
    const asked = readCertificateRequest(certificateRequest);
    if (!asked) throw new Error('The request cannot be read.');
    const { subject, publicKey, alternativeNames } = asked;
    const issued = certify({ subject, publicKey, ...(alternativeNames && { alternativeNames }), usage: 'client' });
    return { certificates: issued.certificate + issued.intermediates + issued.root };
  };
}
