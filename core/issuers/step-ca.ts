// smallstep's step-ca as the issuer: a one-time token for a first certificate, mutual TLS with the current one for those after it.
import { X509Certificate } from 'node:crypto';
import * as v from 'valibot';
import type { IssuerSettings } from '../identity/renewal.ts';
import { settingUnusable } from '../identity/unusable.ts';
import { plainNames } from '../x509/alternative-names.ts';
import { hasReadableDates, hasSameNames } from '../x509/certificate.ts';
import { commonNameOf } from '../x509/distinguished-name.ts';
import { publicKeyIdentifier } from '../x509/keys.ts';
import { certificatesIn, notCertificates } from './answer-certificates.ts';
import { type ExchangeLimits, exchange, type IssuerRequest, issuerServer } from './https-exchange.ts';
import { mayBeTheCertificate, statusFailure } from './https-failure.ts';
import type { Issuer, SigningOrder } from './issuer.ts';
import { currentNames, type NamedKey, requestedNames } from './order-names.ts';
import { oneTimeToken, type Provisioner } from './step-ca-token.ts';

type StepCaSettings = Extract<IssuerSettings, { kind: 'step-ca' }>;
type Current = NonNullable<SigningOrder['current']>;
type Ask = (request: Omit<IssuerRequest, 'path'> & { readonly path: string }) => Promise<string>;

export interface StepCaOptions extends Partial<ExchangeLimits> {
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

const minute = 60_000;
/** step-ca starts a certificate a minute early (`backdate`), so that two of the same days differ by as much. */
const backdateAllowance = 30 * minute;

/** Throws `renewal-unusable` for settings that cannot serve. step-ca has no idempotency: an order made twice may be signed twice. */
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
      // Before anything is signed: a certificate whose root cannot be had would be signed for nothing.
      const roots = await rootsOf(ask, server.roots);
      const signed = await certificateFor(order, requested, ask);
      return { certificates: signed + roots };
    },
  };

  /** Renewed where the current certificate is what is wanted again; anew, with a token, where it is not or is turned down. */
  async function certificateFor(order: SigningOrder, requested: NamedKey, ask: Ask): Promise<string> {
    const { current } = order;
    if (current && (provisioner === undefined || isWantedAgain(current, requested, settings.validityDays, now()))) {
      try {
        return await renew(order.certificateRequest, current, requested, ask);
      } catch (error) {
        if (provisioner === undefined || !mayBeTheCertificate(error)) throw error;
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

/** `/renew` signs the key that the handshake showed, `/rekey` that of a request; both copy everything else. */
function renew(certificateRequest: string, current: Current, requested: NamedKey, ask: Ask): Promise<string> {
  const before = currentNames(current);
  if (!hasSameNames(before, requested)) {
    throw settingUnusable(
      'renewal: step-ca renews a certificate with the names it has; for others it needs issuer.provisioner and provisionerKey.',
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

/** Those of the settings where the authority gives none out. */
async function rootsOf(ask: Ask, trusted: string): Promise<string> {
  try {
    return certificatesIn(parse(rootsSchema, await ask({ method: 'GET', path: '/1.0/roots' })).crts);
  } catch (error) {
    if (mayBeTheCertificate(error)) return certificatesIn([trusted]);
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
    throw notCertificates('is not JSON', 'answer-malformed');
  }
  const result = v.safeParse(schema, value);
  if (!result.success) throw notCertificates('is not what step-ca answers', 'answer-malformed');
  return result.output;
}

function provisionerOf({ provisioner, provisionerKey, provisionerPassword }: StepCaSettings): Provisioner | undefined {
  if (provisioner === undefined && provisionerKey === undefined && provisionerPassword === undefined) return undefined;
  if (provisioner === undefined || provisionerKey === undefined) {
    throw settingUnusable('renewal: issuer.provisioner and issuer.provisionerKey must be there together.');
  }
  return { name: provisioner, key: provisionerKey, password: provisionerPassword };
}

function isWantedAgain(current: Current, requested: NamedKey, validityDays: number | undefined, now: number): boolean {
  const { validTo, lifetime } = datesOf(current);
  if (validTo <= now || !hasSameNames(currentNames(current), requested)) return false;
  return validityDays === undefined || Math.abs(lifetime - validityDays * 24 * 60 * minute) < backdateAllowance;
}

/**
 * A duration as Go writes it, from the moment of signing; undefined leaves it to the provisioner. As long as the current
 * certificate when nothing is set, but without its backdate: that would be added once more at each renewal, past the
 * longest that the provisioner allows.
 */
function validityOf(
  { current, currentLifetimeDays }: SigningOrder,
  validityDays: number | undefined,
): string | undefined {
  if (validityDays !== undefined) return `${validityDays * 24}h`;
  // Of one that has expired, and is not shown any more, the lifetime is still known.
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
