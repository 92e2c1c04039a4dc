import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkProse, parseBannedWords, proseFiles } from '../../tools/prose.ts';

const banned = parseBannedWords('# comment\nis none of → is not one of\nnobody → no caller\n');
const lines = (name: string, text: string) => checkProse(name, text, banned).map(({ line }) => line);
const wide = 'word '.repeat(30);

describe('banned words', () => {
  it('are found in any case, as whole words only', () => {
    expect(checkProse('a.md', 'x\nNobody calls nobody.\n', banned)).toEqual([
      { line: 2, message: '"nobody"; write: no caller' },
      { line: 2, message: '"nobody"; write: no caller' },
    ]);
    expect(lines('a.ts', 'const nobodyElse = 1; // anobody, nobody-1\n')).toEqual([]);
  });

  it.each([
    ['a.md', 'This host is\nnone of them.'],
    ['a.ts', '// This host is\n// none of them.'],
    ['a.ts', '/**\n * This host is none\n * of them.\n */'],
    ['a.yaml', '# This host is\n# none of them.'],
  ])('are found across the lines of %s', (name, text) => {
    expect(lines(name, text)).toHaveLength(1);
  });

  it('must have a replacement', () => {
    expect(() => parseBannedWords('nobody\n')).toThrow('expected "words → instead"');
  });
});

describe('prose over 120 columns', () => {
  it('is found in Markdown, but not in tables, code blocks, link targets and URLs', () => {
    expect(lines('a.md', wide)).toEqual([1]);
    expect(lines('a.md', `| ${wide} |\n\`\`\`sh\n${wide}\n\`\`\`\n[x]: ${wide}`)).toEqual([]);
    expect(lines('a.md', `See [the page](${'x'.repeat(120)}) or https://example.test/${'x'.repeat(120)}`)).toEqual([]);
    expect(lines('a.md', `\`\`\`\n\`\`\`\n${wide}`)).toEqual([3]);
  });

  it('is found in comments, but not in code', () => {
    expect(lines('a.ts', `// ${wide}`)).toEqual([1]);
    expect(lines('a.ts', `/**\n * ${wide}\n */`)).toEqual([2]);
    expect(lines('a.ts', `call(); // ${wide}`)).toEqual([1]);
    expect(lines('a.ts', `const text = '${wide}';`)).toEqual([]);
    expect(lines('a.css', `/* ${wide} */`)).toEqual([1]);
    expect(lines('Dockerfile', `# ${wide}`)).toEqual([1]);
    expect(lines('a.txt', wide)).toEqual([]);
  });
});

it('the files below a folder are read, without dependencies and output', () => {
  const folder = mkdtempSync(join(tmpdir(), 'prose-'));
  try {
    for (const name of ['docs', 'node_modules', 'cdk.out']) {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, 'a.md'), '');
    }
    writeFileSync(join(folder, 'a.json'), '');
    expect(proseFiles(folder)).toEqual([join('docs', 'a.md')]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
