// `countersign serve` with options as JSON.
import { readServeOptions } from '../../server/options.ts';
import { serveUntilStopped } from '../../server/run.ts';

process.exit(await serveUntilStopped(readServeOptions(JSON.parse(process.argv[2] ?? '{}'))));
