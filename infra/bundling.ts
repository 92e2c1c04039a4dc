// The esbuild options of the deployed bundles, also used by the benchmark.
import { join } from 'node:path';
import type { BuildOptions } from 'esbuild';

/**
 * All options except entry and output. The SDK is bundled rather than taken from the runtime, so the tested version
 * runs and tree shaking removes most of it. Source maps are separate files that the bundle does not name and that are
 * not uploaded; docs/deploy.md explains how to read a stack trace with them.
 */
export const esbuildOptions = {
  bundle: true,
  platform: 'node',
  target: 'node24',
  format: 'esm',
  /** The SDK and most packages publish ES modules as `module`; only those can be tree-shaken. */
  mainFields: ['module', 'main'],
  minify: true,
  /** Dynamic imports (credential providers that Lambda does not need, a user agent parser) are not parsed at start. */
  splitting: true,
  /** Two modules that slow a cold start and that a function on Lambda does not need; each file says why. */
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
