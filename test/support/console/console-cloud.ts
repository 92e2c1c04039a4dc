// A local cloud for tests of its console, with more identities: one that expires soon, one that has expired, one that
// is broken.
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { defaults } from '../../../core/settings.ts';
import { createAuthority } from '../../../local/authority/authority.ts';
import { type Cloud, startCloud } from '../../../local/cloud.ts';
import { localCredentials, localRegion } from '../../../local/gateway/functions.ts';

export const hostileName = '<img src=x onerror="document.title=1"> & "quotes"';
const day = 86_400_000;

export interface ConsoleCloud extends Cloud {
  urlOf(host: string): string;
  /** PEM, of the identities that were added. */
  readonly privateKeys: readonly string[];
  readonly client: SecretsManagerClient;
}

export async function startConsoleCloud(folder: string): Promise<ConsoleCloud> {
  const ports = { gateway: 0, secrets: 0, authority: 0, events: 0, api: 0 };
  // Some rotations fail on purpose.
  const onFailure = () => undefined;
  const cloud = await startCloud({ folder, ports, onFailure });
  const endpoint = cloud.secretsManagerUrl;
  const client = new SecretsManagerClient({ endpoint, region: localRegion, credentials: localCredentials });
  const put = (name: string, SecretString: string) =>
    client.send(new CreateSecretCommand({ Name: `${defaults.secretPrefix}${name}`, SecretString }));

  const privateKeys: string[] = [];
  const root = createAuthority({ commonName: hostileName });
  for (const [name, days] of [
    ['ends-soon', 12],
    ['ended', -3],
  ] as const) {
    const issued = root.intermediate({ commonName: 'a-name-without-a-blank-'.repeat(2) }).issue({
      commonName: name,
      usage: 'client',
      notBefore: new Date(Date.now() - 100 * day),
      notAfter: new Date(Date.now() + (days + 0.5) * day),
    });
    privateKeys.push(issued.privateKey);
    const destinations = [
      { host: '*' },
      { host: 'api.example', port: 8443, requireMutual: true, probe: { path: '/health' } },
    ];
    const keys = { privateKey: issued.privateKey, certificate: issued.certificate };
    const chain = { intermediateCertificates: issued.intermediates, rootCertificate: issued.root };
    await put(name, JSON.stringify({ ...keys, ...chain, destinations }));
  }
  await put('broken', '{"privateKey": "this must never be shown"}');
  return {
    ...cloud,
    client,
    privateKeys,
    urlOf(host) {
      const found = cloud.hosts.find((one) => one.host === `${host}.demo.localhost`);
      if (!found) throw new Error(`The demo API has no host ${host}.`);
      return `https://${found.host}:${found.port}/`;
    },
    async close() {
      client.destroy();
      await cloud.close();
    },
  };
}
