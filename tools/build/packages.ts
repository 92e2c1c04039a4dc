// All npm packages of the repository.
import { join } from 'node:path';
import type { BundledPackage } from './bundled-packages.ts';
import { buildCdkPackage } from './cdk-package.ts';
import { buildCliPackage } from './cli-package.ts';

export interface BuiltPackage {
  readonly name: string;
  readonly folder: string;
  /** What is bundled in it. */
  readonly packages: readonly BundledPackage[];
}

/** Builds them into `dist/<name>`. */
export async function buildPackages(dist: string): Promise<readonly BuiltPackage[]> {
  const [cli, cdk] = [join(dist, 'cli'), join(dist, 'cdk')];
  return [
    { name: '@countersign/cli', folder: cli, packages: await buildCliPackage(cli) },
    { name: '@countersign/cdk', folder: cdk, packages: await buildCdkPackage(cdk) },
  ];
}
