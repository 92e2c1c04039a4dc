// A temporary folder that is removed after the tests of a file.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export function temporaryFolder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'countersign-console-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}
