// Started by serving.ts: `countersign serve` with options as JSON, without the command line.
import { readServeOptions } from '../../../serve/options.ts';
import { serveUntilStopped } from '../../../serve/serve.ts';

try {
  process.exit(await serveUntilStopped(readServeOptions(JSON.parse(process.argv[2] ?? '{}'))));
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}
