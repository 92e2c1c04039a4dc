// `npm run build`: makes the npm packages in dist/.
import { rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { root } from './build/manifest.ts';
import { buildPackages } from './build/packages.ts';

const dist = join(root, 'dist');
rmSync(dist, { recursive: true, force: true });
for (const { name, folder } of await buildPackages(dist)) console.log(`${name}: ${relative(root, folder)}`);
