// countersign-<version>-image-<architecture>.tar: an OCI image layout, made without a container engine.
// https://github.com/opencontainers/image-spec/blob/v1.1.0/image-layout.md and config.md
import { createHash } from 'node:crypto';
import { cpSync, createReadStream, mkdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { manifest } from '../build/manifest.ts';
import { type Architecture, debianArchitecture } from './node-runtime.ts';
import { addSystemLibraries, type DebianPackage } from './system-libraries.ts';
import { gzip, normalizeTree, writeTar } from './tar.ts';

export interface Commit {
  readonly id: string;
  /** Seconds since 1970. */
  readonly seconds: number;
}

/** The user `nonroot`, as in other images without a shell; deploy/kubernetes.yaml has the same number. */
export const user = 65532;
const home = '/opt/countersign';
const files = '/etc/countersign';

/** It serves other machines, so it needs TLS and callers: if one of these files is missing, it ends with an error. */
export const imageCommand = [
  'serve',
  `--identities=${files}/identities`,
  '--host=0.0.0.0',
  '--port=8443',
  `--tls-cert=${files}/server/tls.crt`,
  `--tls-key=${files}/server/tls.key`,
  `--callers=${files}/callers/callers.json`,
];

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** @returns the Debian packages inside */
export async function writeImage(
  release: string,
  architecture: Architecture,
  installation: string,
  scratch: string,
  commit: Commit,
): Promise<readonly DebianPackage[]> {
  const layout = join(scratch, `image-${architecture}`);
  const blobs = join(layout, 'blobs/sha256');
  mkdirSync(blobs, { recursive: true });

  // Two layers: the lower one changes only with Debian and Node.
  const lower = join(scratch, `layer-system-${architecture}`);
  const packages = await addSystemLibraries(lower, architecture, scratch);
  writeAccounts(lower);
  mkdirSync(join(lower, home, 'lib'), { recursive: true });
  cpSync(join(installation, 'lib/node'), join(lower, home, 'lib/node'));
  const upper = join(scratch, `layer-program-${architecture}`);
  cpSync(installation, join(upper, home), {
    recursive: true,
    // The image has no shell for bin/countersign, and no systemd.
    filter: (file) => !['lib/node', 'bin', 'deploy'].some((path) => file === join(installation, path)),
  });
  const layers = [await addLayer(blobs, lower, commit.seconds), await addLayer(blobs, upper, commit.seconds)];

  const labels = {
    'org.opencontainers.image.title': 'countersign',
    'org.opencontainers.image.description': manifest.description,
    'org.opencontainers.image.version': manifest.version,
    'org.opencontainers.image.revision': commit.id,
    'org.opencontainers.image.licenses': manifest.license,
  };
  const created = new Date(commit.seconds * 1000).toISOString();
  const config = addJson(blobs, 'application/vnd.oci.image.config.v1+json', {
    created,
    architecture: debianArchitecture[architecture],
    os: 'linux',
    config: {
      User: `${user}:${user}`,
      ExposedPorts: { '8443/tcp': {} },
      Entrypoint: [`${home}/lib/node`, `${home}/lib/main.js`],
      Cmd: imageCommand,
      WorkingDir: '/',
      Labels: labels,
    },
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history: ['Debian libraries and Node', 'Countersign'].map((created_by) => ({ created, created_by })),
  });
  const image = addJson(blobs, 'application/vnd.oci.image.manifest.v1+json', {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config,
    layers: layers.map(({ descriptor }) => descriptor),
    annotations: labels,
  });
  const annotations = { 'org.opencontainers.image.ref.name': manifest.version };
  const platform = { architecture: debianArchitecture[architecture], os: 'linux' };
  const index = { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json' };
  writeJson(join(layout, 'index.json'), { ...index, manifests: [{ ...image, platform, annotations }] });
  writeJson(join(layout, 'oci-layout'), { imageLayoutVersion: '1.0.0' });
  normalizeTree(layout, commit.seconds);
  const name = `countersign-${manifest.version}-image-${debianArchitecture[architecture]}.tar`;
  await writeTar(join(release, name), layout, '.', commit.seconds);
  return packages;
}

function writeAccounts(tree: string): void {
  const etc = join(tree, 'etc');
  // With a read-only root, the engine cannot make the folders that it mounts on.
  for (const folder of [files, 'proc', 'sys', 'dev']) mkdirSync(join(tree, folder), { recursive: true });
  const account = (name: string, id: number) => `${name}:x:${id}:${id}:${name}:/nonexistent:/usr/sbin/nologin\n`;
  writeFileSync(join(etc, 'passwd'), account('root', 0) + account('nonroot', user));
  writeFileSync(join(etc, 'group'), `root:x:0:\nnonroot:x:${user}:\n`);
  writeFileSync(join(etc, 'nsswitch.conf'), 'passwd: files\ngroup: files\nhosts: files dns\n');
}

async function addLayer(blobs: string, tree: string, seconds: number) {
  normalizeTree(tree, seconds);
  const file = join(blobs, 'layer.tar');
  await writeTar(file, tree, '.', seconds);
  const diffId = await digestOf(file);
  await gzip(file);
  const descriptor = await addBlob(blobs, `${file}.gz`, 'application/vnd.oci.image.layer.v1.tar+gzip');
  return { diffId, descriptor };
}

function writeJson(file: string, value: unknown): void {
  writeFileSync(file, JSON.stringify(value));
}

function addJson(blobs: string, mediaType: string, value: unknown): Descriptor {
  const text = JSON.stringify(value);
  const hash = createHash('sha256').update(text).digest('hex');
  writeFileSync(join(blobs, hash), text);
  return { mediaType, digest: `sha256:${hash}`, size: Buffer.byteLength(text) };
}

async function addBlob(blobs: string, file: string, mediaType: string): Promise<Descriptor> {
  const digest = await digestOf(file);
  const { size } = statSync(file);
  renameSync(file, join(blobs, digest.slice('sha256:'.length)));
  return { mediaType, digest, size };
}

/** `sha256:` and the hexadecimal hash. */
export async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk);
  return `sha256:${hash.digest('hex')}`;
}
