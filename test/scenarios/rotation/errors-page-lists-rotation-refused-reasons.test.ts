// docs/errors.md lists exactly the reasons of rotation-refused.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { rotationRefusedReasons } from '../../../core/rotation/rotation-errors.ts';

const page = readFileSync(join(import.meta.dirname, '../../../docs/errors.md'), 'utf8');

it('the reasons of rotation-refused are those of the page', () => {
  const [, told = ''] = page.split('\n## rotation-refused\n');
  const [, reasons = ''] = told.split('\n## ')[0]?.split('- `reason`:') ?? [];
  const named = [...(reasons.split('\n- ')[0] ?? '').matchAll(/`([a-z]+(?:-[a-z]+)*)`/g)].map(([, reason]) => reason);
  expect(new Set(named)).toEqual(new Set(rotationRefusedReasons));
});
