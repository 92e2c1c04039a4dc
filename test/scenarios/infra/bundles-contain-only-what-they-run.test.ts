// The assets for Lambda load alone and contain no unused modules.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { afterAll, describe, expect, it } from 'vitest';
import { esbuildOptions } from '../../../infra/bundling.ts';
import { functionNames } from '../../../infra/function-names.ts';
import { synthesize } from '../../support/infra/synthesize.ts';

const stack = synthesize();
afterAll(() => stack.remove());

describe.each(functionNames)('the bundle of %s', (name) => {
  const title = `${name[0]?.toUpperCase()}${name.slice(1)}`;
  const code = stack.resources('AWS::Lambda::Function')[`${title}Function`]?.Properties.Code as { S3Key: string };
  const asset = join(stack.assembly, `asset.${code.S3Key.replace('.zip', '')}`);

  it('contains only ES modules, and refers to no source map', () => {
    const files = readdirSync(asset);
    expect(files).toContain('index.mjs');
    expect(files.filter((file) => !file.endsWith('.mjs'))).toEqual([]);
    for (const file of files) expect(readFileSync(join(asset, file), 'utf8')).not.toContain('sourceMappingURL');
  });

  it('loads alone and exports the handler', () => {
    const { href } = pathToFileURL(join(asset, 'index.mjs'));
    const script = `const { handler } = await import('${href}'); process.stdout.write(typeof handler); process.exit();`;
    // An empty folder of identities, so that nothing looks for Secrets Manager on the way.
    const env = { COUNTERSIGN_IDENTITY_SOURCE: `directory:${mkdtempSync(join(stack.assembly, 'identities-'))}` };
    const printed = execFileSync(process.execPath, ['--input-type=module', '--eval', script], {
      env,
      cwd: stack.assembly,
    });
    expect(printed.toString()).toBe('function');
  });

  it('has its source maps beside the assets', () => {
    const maps = readdirSync(join(stack.assembly, 'source-maps', name));
    expect(maps.sort()).toEqual(
      readdirSync(asset)
        .map((file) => `${file}.map`)
        .sort(),
    );
    const map = JSON.parse(readFileSync(join(stack.assembly, 'source-maps', name, 'index.mjs.map'), 'utf8')) as {
      sources: string[];
      sourcesContent: string[];
    };
    expect(map.sources.some((source) => source.endsWith(`functions/${name}.ts`))).toBe(true);
    expect(map.sourcesContent).toHaveLength(map.sources.length);
  });
});

describe('the contents of a bundle', () => {
  it('do not depend on the working directory: the hash of the asset decides whether a function is updated', () => {
    const filesOf = (cwd: string) => {
      const folder = mkdtempSync(join(stack.assembly, 'bundled-'));
      const [code, maps] = [join(folder, 'code'), join(folder, 'maps')];
      const { href } = pathToFileURL(resolve('infra/bundling.ts'));
      const script = `const { bundleFunction } = await import('${href}');
        bundleFunction('certificate', ${JSON.stringify({ code, maps })});`;
      execFileSync(process.execPath, ['--input-type=module', '--eval', script], { cwd });
      return readdirSync(code).map((file) => [file, readFileSync(join(code, file), 'utf8')]);
    };
    expect(filesOf('/')).toEqual(filesOf(process.cwd()));
  });

  it.each(['invoke', 'diagnose', 'certificate', 'health', 'expiry'])(
    'include, for %s, no code for certificate requests, issuers or events',
    async (name) => {
      const off = /forge|x509|pkijs|peculiar|jose|acm-pca|eventbridge|aws-cdk/;
      expect((await packages(name)).filter((dependency) => off.test(dependency))).toEqual([]);
    },
  );

  it('include, for rotate, issuers and events, loaded on demand', async () => {
    const used = await packages('rotate');
    expect(used).toContain('@aws-sdk/client-eventbridge');
    expect(used.filter((dependency) => /forge|aws-cdk/.test(dependency))).toEqual([]);
  });

  it('include, for invoke, the SDK of the lock file, not that of the runtime', async () => {
    expect(await packages('invoke')).toContain('@aws-sdk/client-secrets-manager');
  });

  it('include, for health, no SDK', async () => {
    expect((await packages('health')).filter((dependency) => /^@(aws-sdk|smithy)\//.test(dependency))).toEqual([]);
  });
});

/** Names of the packages whose code ends up in the bundle. */
async function packages(name: string): Promise<readonly string[]> {
  const { metafile } = await build({
    ...esbuildOptions,
    entryPoints: [`functions/${name}.ts`],
    outdir: 'unused',
    write: false,
    metafile: true,
  });
  const bundled = Object.entries(metafile.outputs).flatMap(([, output]) =>
    Object.entries(output.inputs).filter(([, input]) => input.bytesInOutput > 0),
  );
  const names = bundled.map(([path]) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1]);
  return [...new Set(names.filter((dependency) => dependency !== undefined))];
}
