// Excluded name constraints hold against the name that is asked for: a certificate for *.example.com does not get round
// them (CVE-2025-61727; x509-limbo: cve-2025-61727, nc-forbids-dnsname-wildcard-san).
import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { CountersignError } from '../../../core/errors.ts';
import { checkConstraints } from '../../../core/tls/server-certificate.ts';
import { excludedDnsNames, isInSubtree } from '../../../core/x509/trust.ts';
import { findings, useDiagnosing } from '../../support/diagnosis/diagnosing.ts';
import { extensions, type FaultyChain, faultyServer } from '../../support/diagnosis/faulty-server.ts';
import { ecKey, hostile, pemOf } from '../../support/diagnosis/hostile-certificate.ts';
import { serveHttps } from '../../support/servers.ts';
import { useTrial } from '../../support/trial.ts';

const trial = useTrial();
const diagnosing = useDiagnosing();
const wildcard = { names: [Buffer.from('*.example.localhost')] };

describe('a wildcard below an authority whose name constraints exclude', () => {
  const host = 'test.example.localhost';

  it.each<readonly [string, FaultyChain, boolean]>([
    ['the name, in the issuer', { issuer: { extensions: [extensions.excludes(host)] } }, false],
    ['the name, in the root that is not served', { root: { extensions: [extensions.excludes(host)] } }, false],
    ['the name in capitals', { issuer: { extensions: [extensions.excludes('TEST.Example.localhost')] } }, false],
    ['the names below it, with a dot', { issuer: { extensions: [extensions.excludes(`.${host}`)] } }, true],
    ['another name that it covers', { issuer: { extensions: [extensions.excludes('else.example.localhost')] } }, true],
    ['nothing', {}, true],
  ])('%s', async (_what, chain, isAccepted) => {
    const shown = faultyServer({ leaf: wildcard, ...chain });
    const ca = trial.platformRoot.certificate + diagnosing.platformRoot.certificate;
    const mutual = { rejectUnauthorized: true, ca };
    const answer = 'HTTP/1.1 204 No Content\r\n\r\n';
    const server = await serveHttps(shown, (socket) => socket.end(answer), mutual);
    const options = { host, destination: { serverRoots: shown.root } };
    const diagnosis = await diagnosing.diagnose(server.port, options);
    if (isAccepted) {
      expect((await trial.call(server.port, options)).body).toMatchObject({ status: 204 });
      expect(diagnosis.verdict).toBe('access-granted');
      return;
    }
    const evidence = { reason: 'name-constraints', subject: 'root' in chain ? 'CN=Root' : 'CN=Issuer' };
    const problem = await trial.fails('server-certificate-invalid', server.port, options);
    expect(problem).toMatchObject({ step: 3, evidence });
    expect(diagnosis.verdict).toBe('server-not-trusted');
    expect(findings(diagnosis)).toMatchObject([{ code: 'server-certificate-invalid', evidence }]);
    expect(server.received()).toBe('');
  });
});

describe('a wildcard with its chain served in any form', () => {
  const host = 'test.example.localhost';
  const stray = faultyServer({}).certificate;

  it.each<readonly [string, (shown: ReturnType<typeof faultyServer>) => string]>([
    ['with the leaf twice', ({ certificate, intermediates }) => certificate + intermediates],
    ['with the root before the intermediate', ({ root, intermediates }) => root + intermediates],
    ['with a stray certificate between', ({ intermediates }) => stray + intermediates],
  ])('%s is accepted', async (_what, rest) => {
    const shown = faultyServer({ leaf: wildcard });
    const ca = trial.platformRoot.certificate;
    const served = { ...shown, intermediates: rest(shown) };
    const answer = 'HTTP/1.1 204 No Content\r\n\r\n';
    const server = await serveHttps(served, (socket) => socket.end(answer), { rejectUnauthorized: true, ca });
    const options = { host, destination: { serverRoots: shown.root } };
    expect((await trial.call(server.port, options)).body).toMatchObject({ status: 204 });
  });
});

describe('the chain of a wildcard certificate', () => {
  const shown = faultyServer({
    leaf: wildcard,
    issuer: { extensions: [extensions.excludes('test.example.localhost')] },
  });
  const [leaf, issuer] = [shown.certificate, shown.intermediates].map((pem) => new X509Certificate(pem)) as [
    X509Certificate,
    X509Certificate,
  ];
  const reasonOf = (chain: Parameters<typeof checkConstraints>[0], name: string) => {
    try {
      checkConstraints(chain, name, shown.root);
      return undefined;
    } catch (thrown) {
      return thrown instanceof CountersignError ? thrown.evidence?.reason : thrown;
    }
  };

  it('must be followed to a trusted certificate', () => {
    expect(reasonOf([leaf, issuer], 'test.example.localhost')).toBe('name-constraints');
    expect(reasonOf([leaf, issuer], 'else.example.localhost')).toBeUndefined();
    expect(reasonOf([leaf], 'else.example.localhost')).toBe('chain-unclear');
  });

  it('must consist of CA certificates', () => {
    const key = ecKey();
    const root = ecKey();
    const top = hostile({ subject: 'R', issuer: 'R', key: root.publicKey, signer: root.privateKey, isAuthority: true });
    const noAuthority = hostile({ subject: 'Issuer', issuer: 'R', key: key.publicKey, signer: root.privateKey });
    const below = hostile({
      subject: 'api',
      issuer: 'Issuer',
      key: ecKey().publicKey,
      signer: key.privateKey,
      ...wildcard,
    });
    const chain = [new X509Certificate(below), new X509Certificate(noAuthority)] as const;
    expect(() => checkConstraints(chain, 'a.example.localhost', pemOf(top))).toThrow(/cannot be followed/);
  });
});

describe('an excluded subtree', () => {
  it.each([
    ['example.com', 'example.com', true],
    ['a.example.com', 'example.com', true],
    ['A.Example.COM.', 'example.com', true],
    ['aexample.com', 'example.com', false],
    ['example.com', '.example.com', false],
    ['a.example.com', '.example.com', true],
    ['anything.test', '', true],
    ['example.org', 'example.com', false],
  ])('%s in %j: %s', (name, subtree, isInside) => {
    expect(isInSubtree(name, subtree)).toBe(isInside);
  });

  it('is read from the extension; an unreadable one excludes every name', () => {
    const of = (...names: readonly string[]) =>
      excludedDnsNames(
        new X509Certificate(faultyServer({ root: { extensions: [extensions.excludes(...names)] } }).root),
      );
    expect(of('A.example', 'b.example')).toEqual(['a.example', 'b.example']);
    expect(of(...Array.from({ length: 5000 }, (_, index) => `n${index}.example`))).toEqual(['']);
    expect(excludedDnsNames(new X509Certificate(faultyServer({}).root))).toEqual([]);
  });
});
