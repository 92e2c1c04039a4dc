// How the tests run: one file after the other in each of two workers, with real sockets and without globals or retries.
import { join } from 'node:path';
import { configDefaults, defineConfig } from 'vitest/config';

const long = 'test/**/*.long.test.ts';
/** Before a release: a new Debian, two releases of a commit, a renewal killed at each change. */
const release = 'test/**/*.release.test.ts';
/** All of them take under a minute: tests that start the whole local cloud or another process are scenarios. */
const unit = [
  'test/*.test.ts',
  'test/{console,core,docs,serve,tools}/**/*.test.ts',
  'test/local/!(start|demo-rotation).test.ts',
  'test/functions/!(rotate).test.ts',
  'test/{functions,local}/*/**/*.test.ts',
];

export default defineConfig({
  test: {
    testTimeout: 30_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 2,
    restoreMocks: true,
    // The tests start hundreds of programs; the cache lets them share compiled code.
    env: { NODE_COMPILE_CACHE: join(import.meta.dirname, 'node_modules/.cache/node-compile-cache') },
    projects: [
      { extends: true, test: { name: 'unit', include: unit, exclude: [...configDefaults.exclude, long, release] } },
      {
        extends: true,
        test: {
          name: 'scenarios',
          include: ['test/**/*.test.ts'],
          exclude: [...configDefaults.exclude, long, release, ...unit],
        },
      },
      { extends: true, test: { name: 'long', include: [long] } },
      { extends: true, test: { name: 'release', include: [release] } },
    ],
  },
});
