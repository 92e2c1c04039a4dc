// smallstep's step-ca as the issuer: a one-time token for the first certificate, then mutual TLS with the current one.
import { X509Certificate } from 'node:crypto';
import * as v from 'valibot';
import type { IssuerSettings } from '../identity/renewal.ts';
import { settingUnusable } from '../identity/unusable.ts';
import { plainNames } from '../x509/alternative-names.ts';
import { hasReadableDates, hasSameNames } from '../x509/certificate.ts';
import { commonNameOf } from '../x509/distinguished-name.ts';
import { publicKeyIdentifier } from '../x509/keys.ts';
import { type ExchangeLimits, exchange, type IssuerRequest, issuerServer } from './https-client.ts';
import { mayBeClientCertificate, statusFailure } from './https-errors.ts';
import type { Issuer, SigningOrder } from './issuer.ts';
import { currentNames, type NamedKey, requestedNames } from './issuer.ts';
import { certificatesIn, malformedResponse } from './issuer-response.ts';
import { oneTimeToken, type Provisioner } from './step-ca-token.ts';

type StepCaSettings = Extract<IssuerSettings, { kind: 'step-ca' }>;
type Current = NonNullable<SigningOrder['current']>;
type Ask = (request: Omit<IssuerRequest, 'path'> & { readonly path: string }) => Promise<string>;

export interface StepCaOptions extends Partial<ExchangeLimits> {
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

const minute = 60_000;
/** step-ca backdates by a minute (`backdate`), so lifetimes of the same number of days differ. */
const backdateAllowance = 30 * minute;

/** Throws `renewal-unusable` for wrong settings. step-ca has no idempotency: a repeated order is signed again. */
export function stepCaIssuer(settings: StepCaSettings, options: StepCaOptions = {}): Issuer {
  const server = issuerServer(settings);
  const provisioner = provisionerOf(settings);
  const base = server.url.pathname.replace(/\/+$/, '');
  const signUrl = `${server.url.origin}${base}/1.0/sign`;
  const now = options.now ?? Date.now;
  const limits = { requestTimeoutMs: options.requestTimeoutMs ?? 15_000 };

  return {
    async issue(order) {
      const requested = requestedNames(order);
      const ask: Ask = async (request) => {
        const answer = await exchange(server, { ...request, path: base + request.path }, order.signal, limits);
        if (answer.status === 200 || answer.status === 201) return answer.body.toString('utf8');
        throw statusFailure(answer.status, `${request.method} ${request.path}`);
      };
      // First: without its root, a signed certificate would be useless.
      const roots = await rootsOf(ask, server.roots);
      const signed = await certificateFor(order, requested, ask);
      return { certificates: signed + roots };
    },
  };

  /**
   * Renews if the current certificate has the requested names and lifetime; otherwise, or if it is rejected, uses a
   * token.
   */
  async function certificateFor(order: SigningOrder, requested: NamedKey, ask: Ask): Promise<string> {
    const { current } = order;
    if (current && (provisioner === undefined || isSameCertificate(current, requested, settings.validityDays, now()))) {
      try {
        return await renew(order.certificateRequest, current, requested, ask);
      } catch (error) {
        if (provisioner === undefined || !mayBeClientCertificate(error)) throw error;
      }
    }
    if (provisioner === undefined) {
      throw settingUnusable('renewal: for a first certificate step-ca needs issuer.provisioner and provisionerKey.');
    }
    const subject = commonNameOf(requested.subject) ?? order.identity;
    const names = plainNames(requested.alternativeNames);
    const ott = await oneTimeToken(provisioner, signUrl, { subject, names }, now());
    const notAfter = validityOf(order, settings.validityDays);
    return post(ask, '/1.0/sign', { csr: order.certificateRequest, ott, ...(notAfter ? { notAfter } : {}) });
  }
}

/** `/renew` signs the key of the handshake, `/rekey` that of a request; both copy everything else. */
function renew(certificateRequest: string, current: Current, requested: NamedKey, ask: Ask): Promise<string> {
  const before = currentNames(current);
  if (!hasSameNames(before, requested)) {
    throw settingUnusable(
      'renewal: step-ca renews with the same names only; other names need issuer.provisioner and provisionerKey.',
    );
  }
  if (publicKeyIdentifier(before.publicKey) === publicKeyIdentifier(requested.publicKey))
    return post(ask, '/1.0/renew', undefined, current);
  return post(ask, '/1.0/rekey', { csr: certificateRequest }, current);
}

async function post(ask: Ask, path: string, body: unknown, client?: Current): Promise<string> {
  const answer = await ask({
    method: 'POST',
    path,
    headers: { 'content-type': 'application/json' },
    body: body === undefined ? '' : JSON.stringify(body),
    ...(client ? { client } : {}),
  });
  const { crt, ca, certChain } = parse(signedSchema, answer);
  return certificatesIn([crt, ...(certChain ?? []), ca ?? '']);
}

/** `issuer.roots` if the authority returns none. */
async function rootsOf(ask: Ask, trusted: string): Promise<string> {
  try {
    return certificatesIn(parse(rootsSchema, await ask({ method: 'GET', path: '/1.0/roots' })).crts);
  } catch (error) {
    if (mayBeClientCertificate(error)) return certificatesIn([trusted]);
    throw error;
  }
}

const signedSchema = v.object({
  crt: v.string(),
  ca: v.nullish(v.string()),
  certChain: v.nullish(v.array(v.string())),
});
const rootsSchema = v.object({ crts: v.array(v.string()) });

function parse<T>(schema: v.GenericSchema<unknown, T>, answer: string): T {
  let value: unknown;
  try {
    value = JSON.parse(answer);
  } catch {
    throw malformedResponse('is not JSON');
  }
  const result = v.safeParse(schema, value);
  if (!result.success) throw malformedResponse('is not a step-ca response');
  return result.output;
}

function provisionerOf({ provisioner, provisionerKey, provisionerPassword }: StepCaSettings): Provisioner | undefined {
  if (provisioner === undefined && provisionerKey === undefined && provisionerPassword === undefined) return undefined;
  if (provisioner === undefined || provisionerKey === undefined) {
    throw settingUnusable('renewal: issuer.provisioner and issuer.provisionerKey must be set together.');
  }
  return { name: provisioner, key: provisionerKey, password: provisionerPassword };
}

function isSameCertificate(
  current: Current,
  requested: NamedKey,
  validityDays: number | undefined,
  now: number,
): boolean {
  const { validTo, lifetime } = datesOf(current);
  if (validTo <= now || !hasSameNames(currentNames(current), requested)) return false;
  return validityDays === undefined || Math.abs(lifetime - validityDays * 24 * 60 * minute) < backdateAllowance;
}

/**
 * A Go duration from the moment of signing; undefined for the provisioner's default. Without `validityDays`, the
 * lifetime of the current certificate minus its backdate, which would otherwise grow with each renewal and exceed the
 * provisioner's limit.
 */
function validityOf(
  { current, currentLifetimeDays }: SigningOrder,
  validityDays: number | undefined,
): string | undefined {
  if (validityDays !== undefined) return `${validityDays * 24}h`;
  // The lifetime of an expired certificate, which is not presented, is still known.
  const lifetime = current ? datesOf(current).lifetime : (currentLifetimeDays ?? 0) * 24 * 60 * minute;
  if (lifetime <= 0) return undefined;
  const hour = 60 * minute;
  const overAnHour = lifetime % hour;
  const wanted = lifetime > hour && overAnHour <= backdateAllowance ? lifetime - overAnHour : lifetime;
  return `${Math.ceil(wanted / minute)}m`;
}

function datesOf({ certificate }: Current): { readonly validTo: number; readonly lifetime: number } {
  const parsed = new X509Certificate(certificate);
  if (!hasReadableDates(parsed)) throw settingUnusable('The dates of the current certificate cannot be read.');
  const validTo = Date.parse(parsed.validTo);
  return { validTo, lifetime: validTo - Date.parse(parsed.validFrom) };
}
