// What is kept at COUNTERSIGN_REQUEST goes to the issuer only when this rotation would ask for the same today.
import { X509Certificate } from 'node:crypto';
import { PutSecretValueCommand, UpdateSecretVersionStageCommand } from '@aws-sdk/client-secrets-manager';
import { expect, it } from 'vitest';
import { certificateRequest, newPrivateKey } from '../../../core/issuers/certificate-request.ts';
import { requestVersionOf } from '../../../core/versions/versions.ts';
import { failureOf } from '../../support/identity/identities.ts';
import { call, openPipeline, prefix } from '../../support/rotation/rotation-pipeline.ts';

const SecretId = `${prefix}platform`;
const [own, other] = await Promise.all([newPrivateKey('EC_P256'), newPrivateKey('EC_P256')]);

interface Kept {
  privateKey: string;
  certificateRequest: string;
  for: string;
  replaces?: string | null;
}

type Change = (sound: Kept, certificate: string, currentKey: string) => Kept;

/** A rotation whose request is there before createSecret runs, as `change` makes it out of a sound one. */
async function withKept(change: Change, document: object = {}) {
  const pipeline = await openPipeline();
  const current = pipeline.document(document) as { certificate: string; privateKey: string };
  await pipeline.create('platform', current);
  const event = await pipeline.rotateSecret('platform');
  const sound = {
    privateKey: own,
    certificateRequest: certificateRequest({ privateKey: own, like: current.certificate }),
    for: event.ClientRequestToken,
    replaces: new X509Certificate(current.certificate).fingerprint256,
  };
  await pipeline.client.send(
    new PutSecretValueCommand({
      SecretId,
      ClientRequestToken: requestVersionOf(event.ClientRequestToken),
      SecretString: JSON.stringify(change(sound, current.certificate, current.privateKey)),
      VersionStages: ['COUNTERSIGN_REQUEST'],
    }),
  );
  return { pipeline, event };
}

it('a sound request is signed once', async () => {
  const { pipeline, event } = await withKept((sound) => sound);
  await pipeline.run(event);
  expect((await pipeline.value('platform')).privateKey).toBe(own);
  expect(pipeline.authority.signed).toBe(1);
});

const foreign = (like: string) => certificateRequest({ privateKey: other, like });

it.each<[string, string, Change, object?]>([
  ["of another's key", 'request-malformed', (sound, like) => ({ ...sound, certificateRequest: foreign(like) })],
  ['that cannot be read', 'request-malformed', (sound) => ({ ...sound, certificateRequest: 'none' })],
  [
    'that was not signed with its key',
    'request-malformed',
    (sound) => ({ ...sound, certificateRequest: sound.certificateRequest.replace(/.{8}(?==*\n-----END)/, 'AAAAAAAA') }),
  ],
  [
    'for another subject',
    'request-outdated',
    (sound) => ({ ...sound, certificateRequest: certificateRequest({ privateKey: own, subject: 'CN=other' }) }),
  ],
  [
    'for a name more',
    'request-outdated',
    (sound, like) => ({
      ...sound,
      certificateRequest: certificateRequest({ privateKey: own, like, names: ['dns:other.example'] }),
    }),
  ],
  ['for another key than the one that customers pin', 'request-outdated', (sound) => sound, { reuseKey: true }],
  [
    'for the key that is current, where the renewal wants a new one',
    'request-outdated',
    (sound, like, currentKey) => ({
      ...sound,
      privateKey: currentKey,
      certificateRequest: certificateRequest({ privateKey: currentKey, like }),
    }),
  ],
  ['that replaces another certificate', 'certificate-replaced', (sound) => ({ ...sound, replaces: 'AA:BB' })],
  ['that replaces nothing', 'certificate-replaced', (sound) => ({ ...sound, replaces: null })],
  ['that does not say what it replaces', 'certificate-replaced', ({ replaces: _, ...sound }) => sound],
])('a request %s is not signed', async (_, reason, change, renewal) => {
  const issuer = { kind: 'local', url: 'http://127.0.0.1:1/certificates' };
  const { pipeline, event } = await withKept(change, renewal && { renewal: { issuer, ...renewal } });
  const failure = await failureOf(() => pipeline.rotate()({ Step: 'createSecret', ...event }, call()));
  expect(failure).toMatchObject({ code: 'rotation-refused', evidence: { reason } });
  expect(failure.hint).toContain('start another one');
  expect(pipeline.authority.signed).toBe(0);
});

it('a request from before a change of the renewal is not signed: after cancelling, the next rotation creates another', async () => {
  const pipeline = await openPipeline();
  const document = pipeline.document() as { renewal: object };
  await pipeline.create('platform', { ...document, renewal: { issuer: { kind: 'manual' } } });
  const event = await pipeline.rotateSecret('platform');
  await expect(pipeline.run(event)).rejects.toMatchObject({ code: 'signature-awaited' });
  const renewal = { ...document.renewal, subject: 'CN=bot-platform,O=Acme' };
  await pipeline.client.send(
    new PutSecretValueCommand({ SecretId, SecretString: JSON.stringify({ ...document, renewal }) }),
  );
  await expect(pipeline.run(event)).rejects.toMatchObject({ evidence: { reason: 'request-outdated' } });
  expect(pipeline.authority.signed).toBe(0);

  await pipeline.client.send(
    new UpdateSecretVersionStageCommand({
      SecretId,
      VersionStage: 'AWSPENDING',
      RemoveFromVersionId: event.ClientRequestToken,
    }),
  );
  await pipeline.run(await pipeline.rotateSecret('platform'));
  const { certificate } = await pipeline.value('platform');
  expect(new X509Certificate(certificate).subject).toBe('O=Acme\nCN=bot-platform');
});
