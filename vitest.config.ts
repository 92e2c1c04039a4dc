// How the tests run: files in turn over two workers, real sockets, no globals.
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 2,
    restoreMocks: true,
    // Hundreds of processes, a browser and real kills on however busy a machine: what fails twice is broken.
    retry: 1,
    // The programs that tests start, hundreds of them, compile what is the same in all of them once.
    env: { NODE_COMPILE_CACHE: join(import.meta.dirname, 'node_modules/.cache/node-compile-cache') },
  },
});
