// A SecretId: the name, the full ARN, or the ARN without its suffix, as far as AWS understands it.
import { CreateSecretCommand, DeleteSecretCommand, GetSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import { describe, expect, it } from 'vitest';
import { startSecretsManager } from '../../../local/secrets-manager/server.ts';
import { clientOf, startServer, temporaryFolder } from '../../support/local-secrets-manager/local-server.ts';

const notFound = { name: 'ResourceNotFoundException', message: "Secrets Manager can't find the specified secret." };

describe('a secret', () => {
  it.each(['plain', 'countersign/identities/platform', 'a-b1c2', 'a-b1c2d3-', 'x'.repeat(512)])(
    '%s is found by its name, its ARN and its partial ARN',
    async (Name) => {
      const { client } = await startServer();
      const { ARN = '' } = await client.send(new CreateSecretCommand({ Name, SecretString: 'S1' }));
      for (const SecretId of [Name, ARN, ARN.slice(0, -7)]) {
        expect(await client.send(new GetSecretValueCommand({ SecretId }))).toMatchObject({ ARN, Name });
      }
    },
  );

  it('whose name ends like a suffix is not found by its partial ARN', async () => {
    const { client } = await startServer();
    const { ARN = '' } = await client.send(new CreateSecretCommand({ Name: 'a-b1c2d3', SecretString: 'S1' }));
    await client.send(new GetSecretValueCommand({ SecretId: 'a-b1c2d3' }));
    await client.send(new GetSecretValueCommand({ SecretId: ARN }));
    await expect(client.send(new GetSecretValueCommand({ SecretId: ARN.slice(0, -7) }))).rejects.toMatchObject(
      notFound,
    );
  });

  it('is not found by what only resembles its ARN', async () => {
    const { client } = await startServer();
    const { ARN = '' } = await client.send(new CreateSecretCommand({ Name: 'a', SecretString: 'S1' }));
    const resembling = [
      ARN.replace(/.{6}$/, '000000'),
      ARN.replace('us-east-1', 'eu-west-1'),
      ARN.replace('000000000000', '111111111111'),
      ARN.slice(0, -7).replace('us-east-1', 'eu-west-1'),
      ARN.slice(ARN.lastIndexOf(':') + 1),
      'A',
      'constructor',
      '__proto__',
    ];
    for (const SecretId of resembling) {
      await expect(client.send(new GetSecretValueCommand({ SecretId })), SecretId).rejects.toMatchObject(notFound);
    }
  });

  it('that was made anew is not found by the ARN of the one before it', async () => {
    const { client } = await startServer();
    const old = await client.send(new CreateSecretCommand({ Name: 'a', SecretString: 'S1' }));
    await client.send(new DeleteSecretCommand({ SecretId: 'a', ForceDeleteWithoutRecovery: true }));
    await client.send(new CreateSecretCommand({ Name: 'a', SecretString: 'S2' }));
    await expect(client.send(new GetSecretValueCommand({ SecretId: old.ARN ?? '' }))).rejects.toMatchObject(notFound);
  });

  it('keeps its ARN when the server is started for another region', async () => {
    const folder = temporaryFolder();
    const first = await startSecretsManager({ folder, port: 0, region: 'eu-central-1' });
    const { ARN = '' } = await clientOf(first.url).send(new CreateSecretCommand({ Name: 'a', SecretString: 'S1' }));
    expect(ARN).toContain(':eu-central-1:');
    await first.close();
    const { client } = await startServer(folder);
    expect(await client.send(new GetSecretValueCommand({ SecretId: ARN }))).toMatchObject({ SecretString: 'S1' });
  });
});
