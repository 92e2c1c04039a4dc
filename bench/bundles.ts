// Each program as it would be deployed: one bundle by the stack's own options.
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { esbuildOptions } from '../infra/bundling.ts';

export const programs = ['bare', 'countersign', 'tutorial', 'popular'] as const;
export type Program = (typeof programs)[number];

const entries: Readonly<Record<Program, string>> = {
  bare: 'bench/programs/bare.ts',
  countersign: 'functions/invoke.ts',
  tutorial: 'bench/programs/tutorial.ts',
  popular: 'bench/programs/popular.ts',
};

/** A client and one command of the SDK: the part of a bundle's size that every program has. */
const sdkAlone = `
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
const client = new SecretsManagerClient({});
export const handler = (SecretId) => client.send(new GetSecretValueCommand({ SecretId }));
`;

/** The others are bundled well, but without this project's own replacements: what a careful user of esbuild gets. */
const { alias: _replacements, ...plainOptions } = esbuildOptions;

export interface Bundle {
  /** Path of the entry. */
  readonly path: string;
  /** Bytes of all its files. */
  readonly bytes: number;
}

/** A program that measures, as plain JavaScript: a cold start must not include the time to strip types. */
export async function plainScript(name: string, folder: string): Promise<string> {
  const outfile = join(folder, `${name}.mjs`);
  const entryPoints = [join(import.meta.dirname, `${name}.ts`)];
  await build({ entryPoints, outfile, bundle: true, platform: 'node', format: 'esm', target: 'node24' });
  return outfile;
}

export async function bundle(program: Program | 'sdk' | 'sdkTrimmed', folder: string): Promise<Bundle> {
  const outdir = join(folder, program);
  await build({
    ...(program === 'countersign' || program === 'sdkTrimmed' ? esbuildOptions : plainOptions),
    sourcemap: false,
    sourcesContent: false,
    ...(program === 'sdk' || program === 'sdkTrimmed'
      ? { stdin: { contents: sdkAlone, resolveDir: import.meta.dirname, sourcefile: 'index.js' } }
      : { entryPoints: { index: entries[program] } }),
    entryNames: 'index',
    outdir,
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
  });
  const bytes = readdirSync(outdir).reduce((sum, file) => sum + statSync(join(outdir, file)).size, 0);
  return { path: join(outdir, 'index.mjs'), bytes };
}
