// How a function becomes a bundle: the esbuild options that the stack deploys with and the benchmark measures with.
import { join } from 'node:path';
import type { BuildOptions } from 'esbuild';

/**
 * Everything but entry and outcome. The SDK is bundled, not taken from the runtime: what was tested is what runs, and
 * tree shaking leaves a fraction of it to be parsed. Source maps are a file of their own that the bundle does not name,
 * so that it is neither uploaded nor looked for; docs/deploy.md says how to read a stack trace with it.
 */
export const esbuildOptions = {
  bundle: true,
  platform: 'node',
  target: 'node24',
  format: 'esm',
  /** The SDK and most others publish ES modules as `module`; only those can be shaken. */
  mainFields: ['module', 'main'],
  minify: true,
  /** What is imported on demand (credential providers that Lambda has no use for, a parser of user agents) stays unread. */
  splitting: true,
  /** Two modules that cost a cold start much and give a function on Lambda nothing; each file says why. */
  alias: {
    'node:http': join(import.meta.dirname, 'bundle/http.ts'),
    '@aws-sdk/credential-provider-node': join(import.meta.dirname, 'bundle/credentials.ts'),
  },
  sourcemap: 'external',
  sourcesContent: true,
  legalComments: 'none',
  charset: 'utf8',
  outExtension: { '.js': '.mjs' },
  logLevel: 'warning',
} as const satisfies BuildOptions;
