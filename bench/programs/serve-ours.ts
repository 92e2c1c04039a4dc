// `countersign serve` with options as JSON.
import { readServeOptions } from '../../serve/options.ts';
import { serveUntilStopped } from '../../serve/run.ts';

process.exit(await serveUntilStopped(readServeOptions(JSON.parse(process.argv[2] ?? '{}'))));
