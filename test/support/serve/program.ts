// What serving.ts starts: `countersign serve` with raw options as JSON, and nothing of the command line around it.
import { readServeOptions } from '../../../serve/options.ts';
import { serveUntilStopped } from '../../../serve/serve.ts';

try {
  process.exit(await serveUntilStopped(readServeOptions(JSON.parse(process.argv[2] ?? '{}'))));
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}
