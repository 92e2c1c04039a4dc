// A Secrets Manager in a process of its own, to be killed: prints its URL, or why it did not start.
import { startSecretsManager } from '../../../local/secrets-manager/server.ts';

const [folder = ''] = process.argv.slice(2);
try {
  const { url } = await startSecretsManager({ folder, port: 0 });
  console.log(url);
} catch (error) {
  console.log((error as Error).message);
  process.exitCode = 1;
}
