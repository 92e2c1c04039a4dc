import { availableParallelism } from 'node:os';
import { describe, expect, it } from 'vitest';
import {
  apiConnections,
  fitConnections,
  type RawServeOptions,
  readServeOptions,
  serveFlags,
} from '../../serve/options.ts';

const identities = '/etc/countersign';
const tls = { tlsCert: 'tls.crt', tlsKey: 'tls.key' };

describe('options', () => {
  it('default to loopback only', () => {
    const { limits, ...rest } = readServeOptions({ identities });
    expect(rest).toEqual({
      identities,
      host: '127.0.0.1',
      port: 8080,
      tls: undefined,
      callers: undefined,
      workers: availableParallelism(),
      identityTtlMs: 5_000,
      console: true,
      shutdownMs: 30_000,
      docsUrl: 'https://countersign.example/docs/',
    });
    expect(limits).toEqual({
      maxCalls: 1_000,
      maxConnections: 5_000,
      maxBodyBytes: 6 * 1024 * 1024,
      maxHeaderBytes: 16_384,
      maxBufferedBytes: 256 * 1024 * 1024,
      headerMs: 10_000,
      requestMs: 30_000,
      keepAliveMs: 65_000,
    });
  });

  it('resolve relative paths from the working directory', () => {
    const raw = {
      identities: 'ids',
      ...tls,
      clientCa: '/ca.crt',
      callers: 'callers.json',
      docsUrl: 'https://docs.example',
    };
    expect(readServeOptions(raw, '/opt')).toMatchObject({
      identities: '/opt/ids',
      tls: { certificate: '/opt/tls.crt', key: '/opt/tls.key', clientCa: '/ca.crt' },
      callers: '/opt/callers.json',
      docsUrl: 'https://docs.example/',
    });
  });

  const wrong: readonly [RawServeOptions, string][] = [
    [{ identities: undefined }, '--identities must name the folder that contains the identities.'],
    [{ identities: '' }, '--identities must name the folder that contains the identities.'],
    [{ host: 'api.acme.example' }, '--host must be an IP address or localhost.'],
    [{ host: '0.0.0.0' }, '--host 0.0.0.0 is not loopback, so it needs --tls-cert and --tls-key.'],
    [{ host: '::', ...tls }, '--host :: is not loopback, so it needs --callers: who can use which identity.'],
    [{ host: '127.0.0.1.', callers: 'c' }, '--host must be an IP address or localhost.'],
    [{ tlsCert: 'a' }, '--tls-cert and --tls-key must be given together.'],
    [{ tlsKey: 'a' }, '--tls-cert and --tls-key must be given together.'],
    [{ tlsKey: '', tlsCert: 'a' }, '--tls-key must name a file.'],
    [{ clientCa: 'a' }, '--client-ca needs --tls-cert and --tls-key.'],
    [{ ...tls, clientCa: 'a' }, '--client-ca needs --callers: which subject can use which identity.'],
    [{ callers: '' }, '--callers must name a file.'],
    [{ port: '65536' }, '--port must be a whole number from 0 to 65535.'],
    [{ port: '80 80' }, '--port must be a whole number from 0 to 65535.'],
    [{ workers: '0' }, '--workers must be a whole number from 1 to 256.'],
    [{ workers: 'all' }, '--workers must be a whole number from 1 to 256.'],
    [{ identityTtlSeconds: '0' }, '--identity-ttl-seconds must be a whole number from 1 to 86400.'],
    [{ maxCalls: '0' }, '--max-calls must be a whole number from 1 to 100000.'],
    [{ maxConnections: '1e3' }, '--max-connections must be a whole number from 1 to 1000000.'],
    [{ maxBodyBytes: '6291457' }, '--max-body-bytes must be a whole number from 1024 to 6291456.'],
    [{ maxHeaderBytes: '10' }, '--max-header-bytes must be a whole number from 1024 to 1048576.'],
    [{ maxBufferedBytes: '1' }, '--max-buffered-bytes must be a whole number from 6291456 to 9007199254740991.'],
    [{ headerSeconds: '-1' }, '--header-seconds must be a whole number from 1 to 3600.'],
    [{ requestSeconds: '3601' }, '--request-seconds must be a whole number from 1 to 3600.'],
    [{ headerSeconds: '20', requestSeconds: '10' }, '--header-seconds must not be more than --request-seconds.'],
    [{ keepAliveSeconds: '' }, '--keep-alive-seconds must be a whole number from 1 to 3600.'],
    [{ shutdownSeconds: '1.5' }, '--shutdown-seconds must be a whole number from 0 to 3600.'],
    [{ docsUrl: 'ftp://docs.example' }, '--docs-url must be an http or https URL.'],
  ];

  it.each(wrong)('are rejected: %j', (raw, sentence) => {
    expect(() => readServeOptions({ identities, ...raw })).toThrow(new Error(sentence));
  });

  it('are all tested above', () => {
    const tried = new Set(wrong.flatMap(([raw]) => Object.keys(raw)));
    // `--no-console` has no value.
    const { console: _, ...withValue } = serveFlags;
    expect([...tried].sort()).toEqual(Object.keys(withValue).sort());
  });
});

describe('fitConnections', () => {
  it('lowers the connections if there are too few descriptors, with one sentence', () => {
    const { limits } = readServeOptions({ identities: '/etc' });
    expect(fitConnections(limits, undefined)).toEqual([limits]);
    expect(fitConnections(limits, 6_048)).toEqual([limits]);
    expect(fitConnections({ ...limits, maxConnections: 100 }, 248)[1]).toBeUndefined();
    const [lowered, sentence] = fitConnections(limits, 4_096);
    expect(lowered).toEqual({ ...limits, maxConnections: 3_048 });
    expect(sentence).toBe(
      'A process can open 4096 files here, but --max-connections 5000 with --max-calls 1000 needs 6048: each process accepts 3048 connections. Raise the limit (ulimit -n, LimitNOFILE).',
    );
    expect(fitConnections(limits, 1_024)[0].maxConnections).toBe(488);
    expect(fitConnections(limits, 10)[0].maxConnections).toBe(1);
  });
});

describe('apiConnections', () => {
  it('never needs more descriptors than there are, with the callers and the reserve', () => {
    const { limits } = readServeOptions({ identities: '/etc' });
    expect(apiConnections(limits, undefined)).toBeUndefined();
    expect(apiConnections(limits, 20_000)).toBe(14_952);
    expect(apiConnections(limits, 1_000_000)).toBe(750_000);
    for (const openFiles of [200, 1_024, 4_096, 6_048, 8_000]) {
      const [{ maxConnections }] = fitConnections(limits, openFiles);
      const most = apiConnections({ ...limits, maxConnections }, openFiles) ?? 0;
      expect(most + maxConnections + 48).toBeLessThanOrEqual(openFiles);
      expect(most).toBeGreaterThanOrEqual(Math.min(limits.maxCalls, maxConnections));
    }
  });
});
