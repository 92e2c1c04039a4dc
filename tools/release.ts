// `npm run release`: makes all artefacts of the version in release/. --help prints the options.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { assembleInstallation, writeArchive } from './artefacts/archive.ts';
import { type Artefact, billOfMaterials } from './artefacts/bill-of-materials.ts';
import { checkReleasable, currentCommit, runSuite } from './artefacts/checks.ts';
import { writeDebianPackage } from './artefacts/debian-package.ts';
import { digestOf, writeImage } from './artefacts/image.ts';
import { architectures, debianArchitecture, fetchNode } from './artefacts/node-runtime.ts';
import { writeNpmPackage } from './artefacts/npm-package.ts';
import { manifest, root } from './build/manifest.ts';
import { buildPackages } from './build/packages.ts';

const help = `Usage: npm run release [-- --output FOLDER]

Makes the artefacts of version ${manifest.version} in release/, or in FOLDER, which must not exist.
A changed file, a missing section of CHANGELOG.md, or a test that fails stops it.

  --output FOLDER   in place of release/
  --skip-tests      for the tests of this program: adds the file NOT-A-RELEASE. Needs --output.
`;

try {
  process.exitCode = await main();
} catch (thrown) {
  if (!(thrown instanceof Error)) throw thrown;
  console.error(thrown.message);
  process.exitCode = 1;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { output: { type: 'string' }, 'skip-tests': { type: 'boolean' }, help: { type: 'boolean' } },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const isTested = !values['skip-tests'];
  if (!isTested && values.output === undefined) throw new Error('--skip-tests needs --output.');
  const release = resolve(values.output ?? join(root, 'release'));
  if (values.output === undefined) rmSync(release, { recursive: true, force: true });
  mkdirSync(join(release, '..'), { recursive: true });
  await checkReleasable();
  const commit = await currentCommit();
  if (isTested) await runSuite();
  mkdirSync(release);
  const scratch = mkdtempSync(join(tmpdir(), 'countersign-release-'));
  try {
    await writeArtefacts(release, scratch, commit);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  if (!isTested) writeFileSync(join(release, 'NOT-A-RELEASE'), 'The tests were not run.\n');
  process.stdout.write(readFileSync(join(release, 'SHA256SUMS'), 'utf8'));
  return 0;
}

async function writeArtefacts(release: string, scratch: string, commit: { id: string; seconds: number }) {
  const { version } = manifest;
  const { seconds } = commit;
  const artefacts: Omit<Artefact, 'digest'>[] = [];
  const built = await buildPackages(join(scratch, 'dist'));
  for (const { name, folder, packages } of built) {
    console.log(name);
    artefacts.push({ name: await writeNpmPackage(release, name, folder, scratch, seconds), packages });
  }
  const cli = built.find(({ name }) => name === '@countersign/cli');
  if (cli === undefined) throw new Error('The package @countersign/cli was not built.');
  const { packages } = cli;
  for (const architecture of architectures) {
    console.log(`linux-${architecture}: archive, Debian package, image`);
    const node = await fetchNode(architecture, scratch);
    const installation = join(scratch, `installation-${architecture}`);
    assembleInstallation(installation, cli.folder, node);
    const archive = `countersign-${version}-linux-${architecture}`;
    await writeArchive(release, archive, installation, scratch, seconds);
    artefacts.push({ name: `${archive}.tar.gz`, packages, node });
    const debian = debianArchitecture[architecture];
    await writeDebianPackage(release, architecture, installation, scratch, seconds);
    artefacts.push({ name: `countersign_${version}_${debian}.deb`, packages, node });
    const libraries = await writeImage(release, architecture, installation, scratch, commit);
    artefacts.push({ name: `countersign-${version}-image-${debian}.tar`, packages, node, debian: libraries });
  }
  const withDigests: Artefact[] = [];
  for (const artefact of artefacts)
    withDigests.push({ ...artefact, digest: await digestOf(join(release, artefact.name)) });
  const bill = billOfMaterials(withDigests, commit);
  writeFileSync(join(release, 'sbom.cdx.json'), `${JSON.stringify(bill, undefined, 2)}\n`);
  let sums = '';
  for (const name of readdirSync(release).sort())
    sums += `${(await digestOf(join(release, name))).slice('sha256:'.length)}  ${name}\n`;
  writeFileSync(join(release, 'SHA256SUMS'), sums);
}
