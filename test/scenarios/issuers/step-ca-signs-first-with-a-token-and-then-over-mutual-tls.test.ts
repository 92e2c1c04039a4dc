// smallstep's certificate authority signs the first certificate for a token, and renews it over mutual TLS.
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { usableParts } from '../../../core/issuers/check-issued.ts';
import { stepCaIssuer } from '../../../core/issuers/step-ca.ts';
import { type Authority, createAuthority } from '../../../local/authority/authority.ts';
import { type CurrentIdentity, failureOf, orderOf, type TestOrder } from '../../support/issuers/orders.ts';
import {
  type BuiltStepCa,
  buildStepCa,
  createProvisioner,
  encryptedKey,
  type ProvisionerKeyKind,
  type StepCa,
  type StepCaProvisioner,
  smallstepNeeds,
  startStepCa,
} from '../../support/issuers/smallstep.ts';
import { expectUsable, openPipeline } from '../../support/rotation/rotation-pipeline.ts';

const day = 86_400_000;
let built: BuiltStepCa;

describe.skipIf(smallstepNeeds)(`step-ca (needs ${smallstepNeeds ?? 'smallstep'})`, () => {
  beforeAll(async () => {
    built = await buildStepCa();
  }, 300_000);
  afterAll(() => built?.remove());

  describe('a first certificate', () => {
    it.each(['EC P-256', 'EC P-384', 'RSA', 'Ed25519'] as const)('with a provisioner whose key is %s', async (kind) => {
      const { ca, provisioner } = await started(kind);
      const { parts } = await signed(
        ca,
        withToken(provisioner),
        await orderOf({ names: ['dns:bot.platform.example'] }),
      );
      expect(new X509Certificate(parts.certificate).subject).toBe('CN=countersign-platform');
      expect(parts.intermediateCertificates.trim()).toBe(ca.intermediate.certificate.trim());
      expect(parts.rootCertificate.trim()).toBe(ca.root.certificate.trim());
    });

    it.each(['EC_P384', 'RSA_2048'] as const)('for a key of %s', async (keyAlgorithm) => {
      const { ca, provisioner } = await started();
      const { leaf } = await signed(
        ca,
        withToken(provisioner),
        await orderOf({ keyAlgorithm, names: ['dns:bot.example'] }),
      );
      expect(leaf.publicKey.asymmetricKeyType).toBe(keyAlgorithm === 'RSA_2048' ? 'rsa' : 'ec');
    });

    it('with the key as step-ca keeps it, encrypted', async () => {
      const { ca, provisioner } = await started();
      const provisionerKey = await encryptedKey(provisioner, 'the password of the provisioner');
      const settings = { provisioner: provisioner.name, provisionerKey };
      const order = await orderOf({ names: ['dns:bot.example'] });
      await signed(ca, { ...settings, provisionerPassword: 'the password of the provisioner' }, order);
      const wrong = { ...settings, provisionerPassword: 'another password' };
      const error = await failureOf(issue(ca, wrong, order), ['another password', provisionerKey]);
      expect(error.code).toBe('renewal-unusable');
      expect((await failureOf(issue(ca, settings, order), [provisionerKey])).code).toBe('renewal-unusable');
    });

    it('with names of every kind', async () => {
      const { ca, provisioner } = await started();
      const names = [
        'dns:bot.example',
        'ip:192.0.2.7',
        'ip:2001:db8::7',
        'email:bot@example.org',
        'uri:spiffe://example.org/bot',
      ];
      const { leaf } = await signed(ca, withToken(provisioner), await orderOf({ names }));
      expect(leaf.subjectAltName).toContain('URI:spiffe://example.org/bot');
      expect(leaf.subjectAltName).toContain('IP Address:2001:DB8:0:0:0:0:0:7');
    });

    it('for as many days as the settings say, and no more than the provisioner allows', async () => {
      const { ca, provisioner } = await started();
      const order = await orderOf({ names: ['dns:bot.example'] });
      const { leaf } = await signed(ca, { ...withToken(provisioner), validityDays: 90 }, order);
      expect(daysOf(leaf)).toBe(90);
      const error = await failureOf(issue(ca, { ...withToken(provisioner), validityDays: 365 }, order), [
        provisioner.key,
      ]);
      expect(error).toMatchObject({ code: 'issuer-refused', evidence: { reason: 'http-403' } });
    });

    it('has the whole subject with the provisioner of docs/issuers.md', async () => {
      const { claims, options } = provisionerOfThePage();
      const { ca, provisioner } = await started('EC P-256', { claims, template: options.x509.template });
      const order = await orderOf({ subject: 'CN=countersign-platform,O=Platform,C=DE', names: ['dns:bot.example'] });
      const { leaf } = await signed(ca, { ...withToken(provisioner), validityDays: 90 }, order);
      expect(leaf.subject.split('\n').sort()).toEqual(['C=DE', 'CN=countersign-platform', 'O=Platform']);
      expect(leaf.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
    });

    it('has only the common name without such a template, which is detected', async () => {
      const { ca, provisioner } = await started();
      const order = await orderOf({ subject: 'CN=countersign-platform,O=Platform', names: ['dns:bot.example'] });
      await expect(signed(ca, withToken(provisioner), order)).rejects.toMatchObject({
        code: 'issued-certificate-unusable',
        evidence: { reason: 'wrong-subject' },
      });
    });

    it('is refused without a provisioner, or with the key of another', async () => {
      const { ca } = await started();
      const order = await orderOf({ names: ['dns:bot.example'] });
      expect((await failureOf(issue(ca, {}, order))).code).toBe('renewal-unusable');
      const stranger = await createProvisioner();
      const error = await failureOf(issue(ca, withToken(stranger), order), [stranger.key]);
      expect(error).toMatchObject({ code: 'issuer-refused', evidence: { reason: 'http-401' } });
    });

    it('is signed again when the first answer was lost: no token is used twice', async () => {
      const { ca, provisioner } = await started();
      const order = await orderOf({ names: ['dns:bot.example'] });
      await signed(ca, withToken(provisioner), order);
      await signed(ca, withToken(provisioner), order);
    });
  });

  describe('the next certificate', () => {
    it('is for a new key, with the names and the lifetime of the current one, and needs no provisioner', async () => {
      const { ca, provisioner } = await started();
      const { current, leaf: first } = await firstOf(ca, provisioner);
      const order = await orderOf({ current, keyAlgorithm: 'EC_P384' });
      const { leaf } = await signed(ca, {}, order);
      expect(leaf.publicKey.equals(first.publicKey)).toBe(false);
      expect([leaf.subject, leaf.subjectAltName, daysOf(leaf)]).toEqual([
        first.subject,
        first.subjectAltName,
        daysOf(first),
      ]);
    });

    it('is renewed where the settings spell out the names it has', async () => {
      const { ca, provisioner } = await started();
      const { current } = await firstOf(ca, provisioner);
      const order = await orderOf({ current, subject: 'CN=countersign-platform', names: ['dns:BOT.example'] });
      await signed(ca, {}, order);
    });

    it('is for the same key where that is kept', async () => {
      const { ca, provisioner } = await started();
      const { current, leaf: first } = await firstOf(ca, provisioner);
      const { leaf } = await signed(ca, {}, await orderOf({ current, privateKey: current.privateKey }));
      expect(leaf.publicKey.equals(first.publicKey)).toBe(true);
      expect(leaf.serialNumber).not.toBe(first.serialNumber);
    });

    it('has other names, or other days, for a token alone', async () => {
      const { ca, provisioner } = await started();
      const { current } = await firstOf(ca, provisioner);
      const order = await orderOf({ current, names: ['dns:other.example'] });
      const { leaf } = await signed(ca, withToken(provisioner), order);
      expect(leaf.subjectAltName).toBe('DNS:other.example');
      expect((await failureOf(issue(ca, {}, order), [current.privateKey])).code).toBe('renewal-unusable');
      const longer = await signed(ca, { ...withToken(provisioner), validityDays: 60 }, await orderOf({ current }));
      expect(daysOf(longer.leaf)).toBe(60);
    });

    it('is signed for a token when the current one has expired', async () => {
      const { ca, provisioner } = await started();
      const current = madeBy(ca.intermediate, {
        notBefore: new Date(Date.now() - 10 * day),
        notAfter: new Date(Date.now() - day),
      });
      const order = await orderOf({ current });
      await signed(ca, withToken(provisioner), order);
      const error = await failureOf(issue(ca, {}, order), [current.privateKey]);
      expect(error).toMatchObject({ code: 'issuer-refused', evidence: { alert: expect.any(String) } });
    });

    it('is signed for a token if another authority issued the current one', async () => {
      const { ca, provisioner } = await started();
      const elsewhere = createAuthority({ commonName: 'Another root' });
      const current = madeBy(elsewhere, { notBefore: new Date(), notAfter: new Date(Date.now() + 30 * day) });
      const order = await orderOf({ current });
      await signed(ca, withToken(provisioner), order);
      const error = await failureOf(issue(ca, {}, order), [current.privateKey]);
      expect(error.code).toBe('issuer-refused');
    });

    it('is signed for a token when the provisioner does not renew', async () => {
      const { ca, provisioner } = await started('EC P-256', { claims: { disableRenewal: true } });
      const { current } = await firstOf(ca, provisioner);
      const order = await orderOf({ current });
      await signed(ca, withToken(provisioner), order);
      const error = await failureOf(issue(ca, {}, order), [current.privateKey]);
      expect(error).toMatchObject({ code: 'issuer-refused', evidence: { reason: 'http-401' } });
    });

    it('is renewed ten times with the same lifetime', async () => {
      const { ca, provisioner } = await started('EC P-256', { claims: { maxTLSCertDuration: '720h' } });
      let { current, leaf } = await firstOf(ca, provisioner);
      for (let time = 0; time < 10; time++) {
        // Each second one for a token, which asks for a lifetime; the others over mutual TLS, which keep it.
        const names = time % 2 ? { names: [`dns:bot-${time}.example`] } : {};
        ({ current, leaf } = await signed(ca, withToken(provisioner), await orderOf({ current, ...names })));
      }
      expect(daysOf(leaf)).toBe(30);
    });
  });

  it('keeps the lifetime of an expired certificate', async () => {
    const { ca, provisioner } = await started();
    const order = { ...(await orderOf({ names: ['dns:bot.example'] })), currentLifetimeDays: 17 };
    expect(daysOf((await signed(ca, withToken(provisioner), order)).leaf)).toBe(17);
  });

  it('rotates an identity from the empty secret on', async () => {
    const { ca, provisioner } = await started();
    const pipeline = await openPipeline();
    const issuer = { kind: 'step-ca', url: ca.url, roots: ca.roots };
    const renewal = {
      issuer: { ...issuer, ...withToken(provisioner) },
      subject: 'CN=bot-platform',
      names: ['dns:bot.example'],
    };
    await pipeline.create('acme', undefined);
    await pipeline.run(await pipeline.rotateSecret('acme'), { renewals: { acme: renewal } });
    const first = await pipeline.value('acme');
    // From now on without the provisioner's key.
    await pipeline.run(await pipeline.rotateSecret('acme'), { renewals: { acme: { ...renewal, issuer } } });
    const second = await pipeline.value('acme');
    expectUsable(second);
    expect(second.rootCertificate.trim()).toBe(ca.root.certificate.trim());
    expect(second.privateKey).not.toBe(first.privateKey);
  });

  it('a server that does not chain to the roots gets no token', async () => {
    const { ca, provisioner } = await started();
    const settings = { ...withToken(provisioner), roots: createAuthority({ commonName: 'Another root' }).certificate };
    const error = await failureOf(issue(ca, settings, await orderOf({ names: ['dns:bot.example'] })), [
      provisioner.key,
    ]);
    expect(error).toMatchObject({ code: 'issuer-unavailable', retryable: false });
  });
});

interface ProvisionerOfThePage {
  readonly claims: Record<string, string>;
  readonly options: { readonly x509: { readonly template: string } };
}

function provisionerOfThePage(): ProvisionerOfThePage {
  const page = readFileSync(join(import.meta.dirname, '../../../docs/issuers.md'), 'utf8');
  return JSON.parse(/^```jsonc\n(.*?)^```/ms.exec(page)?.[1] ?? '');
}

type Settings = Partial<Parameters<typeof stepCaIssuer>[0]>;

async function started(
  kind: ProvisionerKeyKind = 'EC P-256',
  options: Partial<Parameters<typeof startStepCa>[1]> = {},
) {
  const provisioner = await createProvisioner(kind);
  return { provisioner, ca: await startStepCa(built, { provisioner, ...options }) };
}

function withToken({ name, key }: StepCaProvisioner): Settings {
  return { provisioner: name, provisionerKey: key };
}

function issue(ca: StepCa, settings: Settings, order: TestOrder) {
  return stepCaIssuer({ kind: 'step-ca', url: ca.url, roots: ca.roots, ...settings }).issue(order);
}

/** Signed, put in order and checked as a rotation does it. */
async function signed(ca: StepCa, settings: Settings, order: TestOrder) {
  const parts = usableParts(await issue(ca, settings, order), { ...order, now: Date.now() });
  const current: CurrentIdentity = { ...parts, privateKey: order.privateKey };
  return { parts, current, leaf: new X509Certificate(parts.certificate) };
}

async function firstOf(ca: StepCa, provisioner: StepCaProvisioner) {
  return signed(ca, withToken(provisioner), await orderOf({ names: ['dns:bot.example'] }));
}

function madeBy(authority: Authority, dates: { notBefore: Date; notAfter: Date }): CurrentIdentity {
  const { certificate, privateKey, intermediates, root } = authority.issue({
    commonName: 'countersign-platform',
    names: ['bot.example'],
    ...dates,
  });
  return { certificate, privateKey, intermediateCertificates: intermediates, rootCertificate: root };
}

function daysOf({ validFrom, validTo }: X509Certificate): number {
  return Math.floor((Date.parse(validTo) - Date.parse(validFrom)) / day);
}
