// What the tests of diagnoses share: the door of the function around a store in memory, and one diagnosis of one
// server.
import { afterEach, expect } from 'vitest';
import { diagnosisRoute } from '../../../core/diagnosis/diagnose.ts';
import type { Diagnosis, Finding } from '../../../core/diagnosis/diagnosis.ts';
import { CountersignError } from '../../../core/errors.ts';
import { createIdentityCache } from '../../../core/identity/cache.ts';
import { recordInternalError } from '../../../core/telemetry/events.ts';
import type { Telemetry } from '../../../core/telemetry/telemetry.ts';
import { apiHandler } from '../../../functions/api-gateway/handler.ts';
import type { CertificateRequest, IssuedCertificate } from '../../../local/authority/authority.ts';
import {
  type Authorities,
  createAuthorities,
  createShelf,
  invocationEvent,
  lambdaContext,
  type Reply,
} from '../stage.ts';
import { createPlaces, type PlaceOptions, serverNames } from '../trial.ts';

export interface DiagnoseOptions extends PlaceOptions {
  /** Members of the request beside the URL. */
  readonly request?: object;
  readonly remainingMs?: number;
}

export interface Diagnosing extends Authorities {
  readonly server: IssuedCertificate;
  readonly client: IssuedCertificate;
  /** Every line that was written, as text. */
  lines(): readonly string[];
  serverWith(request: Partial<CertificateRequest>): IssuedCertificate;
  /** Stores a document under a name. */
  put(name: string, document: string): void;
  ask(request: object, identity: string, remainingMs?: number): Promise<Reply>;
  diagnose(port: number, options?: DiagnoseOptions): Promise<Diagnosis>;
}

/** For the whole file; after each of its tests no connection may be left open. */
export function useDiagnosing(now: () => number = Date.now): Diagnosing {
  const authorities = createAuthorities();
  const serverWith = (request: Partial<CertificateRequest>) =>
    authorities.customerRoot.issue({ commonName: 'api', names: serverNames, usage: 'server', ...request });
  const shelf = createShelf((name) => new CountersignError('identity-not-found', `There is no ${name}.`));
  const lines: string[] = [];
  const telemetry: Telemetry = { write: (line) => lines.push(line) };
  const identities = createIdentityCache({ source: shelf, ttlMs: 60_000, now });
  const door = apiHandler(
    {
      docsUrl: 'https://docs.example/',
      onInternalError: recordInternalError.bind(undefined, telemetry),
      routeKeepsDeadline: true,
    },
    diagnosisRoute({ telemetry, identities, now }),
  );
  const client = authorities.platformIssuer.issue({ commonName: 'platform', usage: 'client' });
  const placeFor = createPlaces(shelf, authorities, client);

  afterEach(async () => {
    const open = () => process.getActiveResourcesInfo().filter((name) => /^(TCPSocket|TCPConnect|TLS)Wrap$/.test(name));
    await expect.poll(open, { timeout: 5000, interval: 5 }).toEqual([]);
  });

  const ask = async (request: object, identity: string, remainingMs = 29_000): Promise<Reply> => {
    const reply = await door(invocationEvent(request, identity), lambdaContext(remainingMs));
    return {
      statusCode: reply.statusCode ?? 0,
      headers: reply.headers as Record<string, string>,
      body: JSON.parse(reply.body ?? 'null'),
    };
  };
  return {
    ...authorities,
    server: serverWith({}),
    client,
    serverWith,
    lines: () => lines,
    put: (name, document) => shelf.put(name, 'v1', document),
    ask,
    async diagnose(port, options = {}) {
      const { url, identity } = placeFor(port, options);
      const reply = await ask({ url, ...options.request }, identity, options.remainingMs);
      if (reply.statusCode !== 200) expect.fail(JSON.stringify(reply.body));
      expectPlain(reply.body);
      return reply.body as Diagnosis;
    },
  };
}

/** Five steps in order, sentences that are sentences, nothing of OpenSSL's or of a key. */
function expectPlain(diagnosis: Diagnosis): void {
  expect(diagnosis.steps.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5]);
  for (const { findings } of diagnosis.steps) for (const { detail } of findings) expect(detail).toMatch(/^[A-Z].+\.$/s);
  for (const remedy of diagnosis.remedies) expect(remedy.do).toMatch(/^[A-Z][^{}]+\.$/);
  expect(JSON.stringify(diagnosis)).not.toMatch(/error:[0-9A-F]{8}|\.c(c|pp)?:\d|-----|node:internal/);
}

/** `passed passed failed skipped skipped`. */
export function statuses(diagnosis: Diagnosis): string {
  return diagnosis.steps.map(({ status }) => status).join(' ');
}

export function findings(diagnosis: Diagnosis): readonly Finding[] {
  return diagnosis.steps.flatMap((step) => step.findings);
}

export function codes(diagnosis: Diagnosis): readonly string[] {
  return findings(diagnosis).map(({ code }) => code);
}
