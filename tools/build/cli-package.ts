// dist/cli, the package @countersign/cli: the command, `serve` and its worker, the console, and the page that the
// command reads.
import { chmodSync, cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { type BundledPackage, bundledPackages, licenseTexts } from './bundled-packages.ts';
import { manifest, root } from './manifest.ts';

/** Files of the repository that the program reads, or that a user of the package wants. */
const copied = ['LICENSE', 'CHANGELOG.md', 'console/page', 'docs/customers.md'];

/** Writes the package into `folder`, which must not exist. @returns the packages that are inside */
export async function buildCliPackage(folder: string): Promise<readonly BundledPackage[]> {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: { main: 'cli/main.ts', worker: 'serve/workers/worker.ts' },
    outdir: join(folder, 'lib'),
    bundle: true,
    splitting: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    /** The SDK and most packages publish ES modules as `module`; only those can be tree-shaken. */
    mainFields: ['module', 'main'],
    // Names stay: a defect is logged by its class and place.
    minifySyntax: true,
    minifyWhitespace: true,
    keepNames: true,
    legalComments: 'none',
    charset: 'utf8',
    // CommonJS packages in the bundle call require() for the modules of Node.
    banner: {
      js: "import{createRequire as requireOfNode}from'node:module';const require=requireOfNode(import.meta.url);",
    },
    metafile: true,
    logLevel: 'warning',
  });
  const packages = bundledPackages([metafile], root);
  const { version, description, license, engines } = manifest;
  const fields = {
    name: '@countersign/cli',
    version,
    description,
    license,
    type: 'module',
    bin: { countersign: 'bin/countersign.cjs' },
    exports: { './package.json': './package.json' },
    engines,
  };
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(fields, undefined, 2)}\n`);
  writeFileSync(join(folder, 'THIRD-PARTY-LICENSES.txt'), licenseTexts(packages));
  for (const file of copied) cpSync(join(root, file), join(folder, file), { recursive: true });
  cpSync(join(import.meta.dirname, 'cli-readme.md'), join(folder, 'README.md'));
  mkdirSync(join(folder, 'bin'));
  cpSync(join(import.meta.dirname, 'bin.cjs'), join(folder, 'bin/countersign.cjs'));
  cpSync(join(import.meta.dirname, 'import-command.cjs'), join(folder, 'bin/import-command.cjs'));
  chmodSync(join(folder, 'bin/countersign.cjs'), 0o755);
  return packages;
}
