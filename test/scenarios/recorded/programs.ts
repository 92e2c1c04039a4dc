// Where the programs under test are. The recordings know the source tree by nothing else.
import { join, resolve } from 'node:path';

export const root = resolve(import.meta.dirname, '../../..');

/** Relative to the root of the repository. */
const programs = {
  localCloud: 'local/start.ts',
  command: 'cli/main.ts',
} as const;

/** The deployed functions: each module exports `handler`. Relative to the root of the repository. */
const functions = {
  invoke: 'functions/invoke.ts',
  diagnose: 'functions/diagnose.ts',
  certificate: 'functions/certificate.ts',
  health: 'functions/health.ts',
  rotate: 'functions/rotate.ts',
  inspection: 'functions/expiry.ts',
} as const;

export type FunctionName = keyof typeof functions;

export const programFile = (name: keyof typeof programs) => join(root, programs[name]);
export const functionFile = (name: FunctionName) => join(root, functions[name]);
