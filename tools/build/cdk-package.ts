// dist/cdk, the package @countersign/cdk: the construct, its declarations, and the bundled functions.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { bundleFunction } from '../../infra/bundling.ts';
import { functionNames } from '../../infra/function-names.ts';
import { type BundledPackage, bundledPackages, licenseTexts } from './bundled-packages.ts';
import { manifest, root } from './manifest.ts';

/** Writes the package into `folder`, which must not exist. @returns the packages that are inside */
export async function buildCdkPackage(folder: string): Promise<readonly BundledPackage[]> {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: { index: 'infra/index.ts' },
    outdir: folder,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    external: ['aws-cdk-lib', 'constructs'],
    legalComments: 'none',
    charset: 'utf8',
    metafile: true,
    logLevel: 'warning',
  });
  const functions = functionNames.map((name) =>
    bundleFunction(name, { code: join(folder, 'assets', name), maps: join(folder, 'source-maps', name) }),
  );
  const packages = bundledPackages([metafile, ...functions], root);
  writeDeclarations(join(folder, 'types'));
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(fields(), undefined, 2)}\n`);
  for (const file of ['LICENSE', 'CHANGELOG.md']) cpSync(join(root, file), join(folder, file));
  cpSync(join(root, 'docs/embed.md'), join(folder, 'README.md'));
  writeFileSync(join(folder, 'THIRD-PARTY-LICENSES.txt'), licenseTexts(packages));
  return packages;
}

function fields(): object {
  const { version, license, engines, devDependencies } = manifest;
  return {
    name: '@countersign/cdk',
    version,
    description: 'CDK construct of Countersign, the mutual-TLS egress of a conversational-bot platform.',
    license,
    type: 'module',
    exports: {
      '.': { types: './types/infra/index.d.ts', default: './index.js' },
      './package.json': './package.json',
    },
    engines,
    peerDependencies: {
      'aws-cdk-lib': `^${devDependencies['aws-cdk-lib']}`,
      constructs: `^${devDependencies.constructs}`,
    },
  };
}

function writeDeclarations(outDir: string): void {
  const scratch = mkdtempSync(join(tmpdir(), 'countersign-declarations-'));
  try {
    const project = join(scratch, 'tsconfig.json');
    const compilerOptions = {
      noEmit: false,
      declaration: true,
      emitDeclarationOnly: true,
      rewriteRelativeImportExtensions: true,
      rootDir: root,
      outDir,
      typeRoots: [join(root, 'node_modules/@types')],
    };
    const files = [join(root, 'infra/index.ts')];
    writeFileSync(
      project,
      JSON.stringify({ extends: join(root, 'tsconfig.json'), include: [], files, compilerOptions }),
    );
    mkdirSync(outDir, { recursive: true });
    execFileSync(join(root, 'node_modules/.bin/tsc'), ['--project', project], { stdio: 'inherit' });
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
