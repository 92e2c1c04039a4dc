// The code of the Lambda functions: the esbuild options of the deployed bundles, also used by the benchmark and by the
// build of the package.
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import type { BuildOptions, Metafile, OutputFile } from 'esbuild';
import type { FunctionName } from './function-names.ts';

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

/**
 * The folder with the code of a function: `index.mjs` and the chunks it imports. The package has it beside the
 * compiled JavaScript, in `assets/<function>/`. The repository has none: it is bundled into the cloud assembly, with
 * the source maps in `source-maps/<function>/`, which `cdk deploy` does not upload.
 * @param assembly folder of the cloud assembly
 * @throws the error of esbuild, which names file and line
 */
export function functionFolder(name: FunctionName, assembly: string): string {
  const prebuilt = join(import.meta.dirname, 'assets', name);
  if (existsSync(prebuilt)) return prebuilt;
  const code = join(assembly, 'bundles', name);
  bundleFunction(name, { code, maps: join(assembly, 'source-maps', name) });
  return code;
}

/**
 * Writes the bundle of `functions/<name>.ts` and its source maps. Files that are in the folders are removed.
 * @returns which packages are inside
 */
export function bundleFunction(
  name: FunctionName,
  { code, maps }: { readonly code: string; readonly maps: string },
): Metafile {
  const { outputFiles, metafile } = bundled.get(name) ?? bundle(name);
  bundled.set(name, { outputFiles, metafile });
  for (const folder of [code, maps]) {
    // Chunk names are hashes of their content: without this, chunks of an earlier synth would be uploaded too.
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
  }
  for (const file of outputFiles) {
    const folder = file.path.endsWith('.map') ? maps : code;
    writeFileSync(join(folder, basename(file.path)), file.contents);
  }
  return metafile;
}

interface Bundle {
  readonly outputFiles: readonly OutputFile[];
  readonly metafile: Metafile;
}

/** An app with several installations bundles a function once. */
const bundled = new Map<FunctionName, Bundle>();

function bundle(name: FunctionName): Bundle {
  // Required here, because the package has no dependency on esbuild.
  const { buildSync } = createRequire(import.meta.url)('esbuild') as typeof import('esbuild');
  const root = join(import.meta.dirname, '..');
  return buildSync({
    ...esbuildOptions,
    // The names of chunks depend on it, and so do the hashes of the assets: it must not be that of the caller.
    absWorkingDir: root,
    entryPoints: { index: `functions/${name}.ts` },
    outdir: join(root, 'cdk.out'),
    write: false,
    metafile: true,
  });
}
