// Where the AWS SDK of this process sends what is for Secrets Manager: it takes an endpoint from the environment and from profiles, too.
import { ListSecretsCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { usageError } from '../exit-code.ts';
import { type ChosenSecretsManager, isSafeEndpoint } from './chosen-store.ts';

/** AWS's own: nothing of them need be told (AWS General Reference, "AWS Secrets Manager endpoints and quotas"). */
const ofAws = /(^|\.)(amazonaws\.com(\.cn)?|api\.aws|amazonaws\.eu)$/;

/**
 * The store with the endpoint that holds; to be called after `useStore`. Throws a usage error where keys and the signatures
 * of an account would go over it in clear, or elsewhere than --endpoint says.
 */
export async function withEffectiveEndpoint(store: ChosenSecretsManager): Promise<ChosenSecretsManager> {
  const url = await endpointOfSdk();
  // Without a region there is none, and whatever is asked next says so.
  if (url === undefined) return store;
  if (store.endpoint !== undefined) {
    if (new URL(store.endpoint).host === url.host) return store;
    throw usageError('AWS_IGNORE_CONFIGURED_ENDPOINT_URLS keeps --endpoint from its effect: unset it.');
  }
  const isOfAws = url.protocol === 'https:' && ofAws.test(url.hostname);
  if (!isOfAws && !isSafeEndpoint(url))
    throw usageError(
      `The environment or the AWS profile has ${url.origin} as the endpoint of Secrets Manager: it must be https, unless it is on loopback.`,
    );
  return isOfAws ? store : { ...store, endpoint: url.origin };
}

/** By the SDK's own rules, from a request that is never sent; undefined where it cannot be made. */
async function endpointOfSdk(): Promise<URL | undefined> {
  const client = new SecretsManagerClient({ credentials: { accessKeyId: 'none', secretAccessKey: 'none' } });
  let found: URL | undefined;
  client.middlewareStack.add(
    () => async (args) => {
      const { protocol, hostname, port } = args.request as { protocol: string; hostname: string; port?: number };
      found = new URL(`${protocol}//${hostname}${port === undefined ? '' : `:${port}`}`);
      throw new Error('It is not to be sent.');
    },
    { step: 'build', priority: 'high', name: 'captureEndpoint' },
  );
  await client.send(new ListSecretsCommand({})).catch(() => undefined);
  client.destroy();
  return found;
}
