// The popular libraries, used well: @middy/secrets-manager keeps the secret, axios keeps the connection.
import { Agent } from 'node:https';
import middy from '@middy/core';
import secretsManager from '@middy/secrets-manager';
import axios from 'axios';

let agent: Agent | undefined;

interface SecretContext {
  identity: {
    privateKey: string;
    certificate: string;
    intermediateCertificates: string;
    destinations: { serverRoots: string }[];
  };
}

const secrets = secretsManager({
  fetchData: { identity: 'countersign/identities/platform' },
  setToContext: true,
  cacheExpiry: 60_000,
});

async function call(event: { body: string }, context: SecretContext): Promise<unknown> {
  const { url } = JSON.parse(event.body);
  agent ??= new Agent({
    keepAlive: true,
    key: context.identity.privateKey,
    cert: context.identity.certificate + context.identity.intermediateCertificates,
    ca: context.identity.destinations[0]?.serverRoots,
  });
  const answer = await axios.request({ url, httpsAgent: agent, responseType: 'text', validateStatus: () => true });
  return {
    statusCode: 200,
    body: JSON.stringify({ status: answer.status, headers: answer.headers, body: answer.data }),
  };
}

// The types of the two middy packages, a major apart, do not meet; their behaviour does.
export const handler = (middy() as unknown as { use(m: unknown): { handler(h: unknown): unknown } })
  .use(secrets)
  .handler(call);
