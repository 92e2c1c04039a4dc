// `--source aws`: an endpoint of the environment or a profile follows the rules of --endpoint, and errors name it.
import { describe, expect, it } from 'vitest';
import { account, forbiddenListener } from '../../support/cli/customer.ts';
import { runCommand } from '../../support/cli/run-command.ts';
import { startServer } from '../../support/local-secrets-manager/local-server.ts';
import { privateFolder } from '../../support/program.ts';

const safely = 'It must be https, unless it is on loopback.';

describe('an endpoint of Secrets Manager that the command line does not name', () => {
  it.each(['AWS_ENDPOINT_URL_SECRETS_MANAGER', 'AWS_ENDPOINT_URL'])(
    'in %s is reported with its origin',
    async (name) => {
      const { server } = await startServer();
      const environment = { ...account, [name]: server.url };
      const { code, out } = await runCommand(['identity', 'list', '--source', 'aws', '--json'], { environment });
      expect([code, JSON.parse(out)]).toEqual([
        0,
        { place: `AWS Secrets Manager in eu-central-1 at ${server.url}`, identities: [] },
      ]);
    },
  );

  it.each([
    ['AWS_ENDPOINT_URL_SECRETS_MANAGER', 'http://secrets.example'],
    ['AWS_ENDPOINT_URL', 'http://secretsmanager.eu-central-1.amazonaws.com'],
    ['AWS_ENDPOINT_URL', 'http://secrets.localhost:8081'],
  ])('in %s must not be %s', async (name, url) => {
    const environment = { ...account, [name]: url };
    const sentence = `The environment or the AWS profile sets the endpoint of Secrets Manager to ${url}. ${safely}\n`;
    for (const args of [
      ['identity', 'list'],
      ['invoke', 'https://a.example'],
    ])
      expect(await runCommand([...args, '--source', 'aws'], { environment }), args.join(' ')).toMatchObject({
        code: 2,
        out: '',
        error: sentence,
      });
    const checked = await runCommand(['doctor', '--source', 'aws', '--json'], { environment });
    expect([checked.code, checked.out]).toEqual([1, expect.stringContaining(sentence.trimEnd())]);
  });

  it('is also read from a profile', async () => {
    const { port, seen } = await forbiddenListener();
    const file = privateFolder().write('config', `[profile other]\nendpoint_url = http://secrets.localhost:${port}\n`);
    const environment = { ...account, AWS_CONFIG_FILE: file, AWS_PROFILE: 'other' };
    const { code, error } = await runCommand(['identity', 'list', '--source', 'aws'], { environment });
    expect([code, error]).toEqual([2, expect.stringContaining(safely)]);
    expect(seen).toEqual([]);
  });

  it('does not override the named one', async () => {
    const { port, seen } = await forbiddenListener();
    const { server } = await startServer();
    const args = ['identity', 'list', '--source', 'aws', '--endpoint', server.url, '--json'];
    const environment = { ...account, AWS_ENDPOINT_URL_SECRETS_MANAGER: `http://127.0.0.1:${port}` };
    const named = await runCommand(args, { environment });
    expect([named.code, JSON.parse(named.out).place]).toEqual([
      0,
      `AWS Secrets Manager in eu-central-1 at ${server.url}`,
    ]);
    const ignoring = { ...account, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'true' };
    expect(await runCommand(args, { environment: ignoring })).toMatchObject({
      code: 2,
      out: expect.stringContaining('AWS_IGNORE_CONFIGURED_ENDPOINT_URLS disables --endpoint'),
    });
    expect(seen).toEqual([]);
  });
});
