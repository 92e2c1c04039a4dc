// Where the files beside the code are: package.json, docs/, console/page/.
import { basename, join, resolve } from 'node:path';

/** The repository, or the installed package: `npm run build` puts its bundles into lib/, which is as deep as core/. */
export const packageFolder = resolve(import.meta.dirname, '..');

const isBundle = basename(import.meta.dirname) === 'lib';

/** The path of a program of this package. `source` is its path in the repository; lib/ has it under its last name. */
export function programFile(source: `${string}.ts`): string {
  return join(packageFolder, isBundle ? `lib/${basename(source, '.ts')}.js` : source);
}
