// A handler's code as Lambda gets it: bundled by esbuild in this process, so that no Docker is ever looked for.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Stage } from 'aws-cdk-lib';
import { AssetCode, type Code } from 'aws-cdk-lib/aws-lambda';
import type { IConstruct } from 'constructs';
import { buildSync } from 'esbuild';
import { esbuildOptions } from './bundling.ts';

/** Beside the assets in the cloud assembly; `cdk deploy` uploads nothing from it. */
export const sourceMapFolder = 'source-maps';

/**
 * Bundles `functions/<name>.ts`. The asset holds `index.mjs` and the chunks it imports; their source
 * maps go to `<assembly>/source-maps/<name>/`. Throws esbuild's error, which names file and line.
 */
export function functionCode(scope: IConstruct, entry: string): Code {
  const assembly = Stage.of(scope)?.outdir;
  if (assembly === undefined) throw new Error(`${entry} can only be bundled for a construct inside an App.`);
  const name = basename(entry, '.ts');
  const code = join(assembly, 'bundles', name);
  const maps = join(assembly, sourceMapFolder, name);
  const { outputFiles } = buildSync({ ...esbuildOptions, entryPoints: { index: entry }, outdir: maps, write: false });
  for (const folder of [code, maps]) {
    // Chunks are named after what is in them: those of the synth before would stay, and be uploaded.
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
  }
  for (const file of outputFiles) {
    const folder = file.path.endsWith('.map') ? maps : code;
    writeFileSync(join(folder, basename(file.path)), file.contents);
  }
  return new AssetCode(code);
}
