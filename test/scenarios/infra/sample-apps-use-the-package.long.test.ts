// A CDK app outside the repository installs the packed package @countersign/cdk and synthesizes, in TypeScript and in
// JavaScript. Needs the npm registry.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildCdkPackage } from '../../../tools/build/cdk-package.ts';
import { synthesize } from '../../support/infra/synthesize.ts';

const folder = mkdtempSync(join(tmpdir(), 'countersign-sample-'));
const app = join(folder, 'app');
const bin = dirname(process.execPath);
const { devDependencies } = JSON.parse(readFileSync('package.json', 'utf8'));

function run(program: string, args: readonly string[], cwd = app): string {
  const env = { ...process.env, PATH: `${bin}:${process.env.PATH}` };
  return execFileSync(program, args, {
    cwd,
    env,
    encoding: 'utf8',
    timeout: 500_000,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

beforeAll(async () => {
  const built = join(folder, 'cdk');
  await buildCdkPackage(built);
  mkdirSync(app);
  run('npm', ['pack', '--pack-destination', folder], built);
  const tarball = readdirSync(folder).find((file) => file.endsWith('.tgz')) ?? '';
  const from = (name: string) => devDependencies[name];
  const dependencies = {
    '@countersign/cdk': `file:${join(folder, tarball)}`,
    '@types/node': from('@types/node'),
    'aws-cdk-lib': from('aws-cdk-lib'),
    'cdk-nag': from('cdk-nag'),
    constructs: from('constructs'),
    typescript: from('typescript'),
  };
  writeFileSync(join(app, 'package.json'), JSON.stringify({ name: 'sample', private: true, dependencies }));
  run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline']);
}, 600_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** As docs/embed.md; under the id `Default` the logical ids are those of the stack. */
const body = `
const app = new App({ outdir: process.argv[2], context: flags });
const stack = new Stack(app, 'Countersign');
const egress = new Countersign(stack, 'Default', { docsUrl: 'https://countersign.example/docs/' });
Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
app.synth();
`;

function resourcesOf(outdir: string): Record<string, unknown> {
  return JSON.parse(readFileSync(join(outdir, 'Countersign.template.json'), 'utf8')).Resources;
}

/** The stack's own template, with the bundles that it makes. */
function ownResources(): Record<string, unknown> {
  const own = synthesize();
  try {
    return own.template.toJSON().Resources;
  } finally {
    own.remove();
  }
}

it('a TypeScript app compiles against the declarations, passes cdk-nag, and has the resources of the stack', () => {
  const source = `
import { App, RemovalPolicy, Stack, Validations } from 'aws-cdk-lib';
import { AccountRootPrincipal, Role } from 'aws-cdk-lib/aws-iam';
import flags from 'aws-cdk-lib/recommended-feature-flags.json' with { type: 'json' };
import { Countersign, type CountersignProps } from '@countersign/cdk';
import { AwsSolutionsChecks } from 'cdk-nag';
const trial: CountersignProps = { api: 'rest', removalPolicy: RemovalPolicy.DESTROY };
${body}
const other = new Stack(new App(), 'Trial');
const role = new Role(other, 'Role', { assumedBy: new AccountRootPrincipal() });
const url: string = new Countersign(other, 'Egress', trial).grantInvoke(role, 'platform') && egress.api.url;
if (url === '') process.exit(1);
`;
  const compilerOptions = {
    module: 'nodenext',
    target: 'es2024',
    strict: true,
    noEmit: true,
    types: ['node'],
    resolveJsonModule: true,
  };
  writeFileSync(join(app, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['app.mts'] }));
  writeFileSync(join(app, 'app.mts'), source);
  run(join(app, 'node_modules/.bin/tsc'), ['--project', '.']);
  const outdir = join(folder, 'ts.out');
  run('node', ['app.mts', outdir]);
  expect(resourcesOf(outdir)).toEqual(ownResources());
}, 600_000);

it('a JavaScript app of CommonJS modules does as well, without a bundler', () => {
  const source = `
const { App, Stack, Validations } = require('aws-cdk-lib');
const flags = require('aws-cdk-lib/recommended-feature-flags.json');
const { Countersign } = require('@countersign/cdk');
const { AwsSolutionsChecks } = require('cdk-nag');
${body}`;
  writeFileSync(join(app, 'app.cjs'), source);
  const outdir = join(folder, 'js.out');
  run('node', ['app.cjs', outdir]);
  expect(resourcesOf(outdir)).toEqual(ownResources());
  expect(readdirSync(join(app, 'node_modules'))).not.toContain('esbuild');
}, 600_000);
