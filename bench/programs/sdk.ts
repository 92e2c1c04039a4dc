// The SDK alone, by which the size of the others is judged: a client, one command, nothing else.
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';

const client = new SecretsManagerClient({});

export const handler = (SecretId: string): Promise<unknown> => client.send(new GetSecretValueCommand({ SecretId }));
