// countersign-<version>-linux-<architecture>.tar.gz: one folder with everything, also Node.
import { chmodSync, cpSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../build/manifest.ts';
import type { NodeRuntime } from './node-runtime.ts';
import { gzip, normalizeTree, writeTar } from './tar.ts';

/** Makes `folder`: the package @countersign/cli in `cli`, Node, the pages, and the files for systemd and Kubernetes. */
export function assembleInstallation(folder: string, cli: string, node: Pick<NodeRuntime, 'binary' | 'license'>): void {
  cpSync(cli, folder, {
    recursive: true,
    // The launcher of npm, and the page of the registry.
    filter: (file) => file !== join(cli, 'bin') && file !== join(cli, 'README.md'),
  });
  cpSync(node.binary, join(folder, 'lib/node'));
  cpSync(node.license, join(folder, 'LICENSE-node.txt'));
  mkdirSync(join(folder, 'bin'));
  cpSync(join(import.meta.dirname, 'launcher.sh'), join(folder, 'bin/countersign'));
  for (const program of ['bin/countersign', 'lib/node']) chmodSync(join(folder, program), 0o755);
  cpSync(join(root, 'deploy'), join(folder, 'deploy'), { recursive: true });
  for (const page of readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md')))
    cpSync(join(root, 'docs', page), join(folder, 'docs', page));
}

/** Writes `name.tar.gz` into `release`, with the one folder `name`, which has the contents of `installation`. */
export async function writeArchive(
  release: string,
  name: string,
  installation: string,
  scratch: string,
  seconds: number,
): Promise<void> {
  cpSync(installation, join(scratch, name), { recursive: true, verbatimSymlinks: true });
  normalizeTree(join(scratch, name), seconds);
  const file = join(release, `${name}.tar`);
  await writeTar(file, scratch, name, seconds);
  await gzip(file);
}
