// Part of `npm run check`: rejects lines of prose over 120 columns and the constructions of banned-words.txt.
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

export interface Finding {
  /** From 1. */
  readonly line: number;
  readonly message: string;
}

export interface BannedWords {
  readonly words: string;
  /** What to write instead. */
  readonly instead: string;
  readonly pattern: RegExp;
}

const maxColumns = 120;
const skippedFolders = new Set(['.git', 'node_modules', 'cdk.out', 'dist', 'release', '.countersign']);
/** Between two words that a line break separates: white space, and the mark that continues a comment or a quotation. */
const gap = String.raw`(?:\s|//|\*(?!\*)|#|>)+`;
const commentMarks: Readonly<Record<string, RegExp>> = {
  ts: /^\s*(?:\/\/|\/?\*)|[;,{}()[\]] \/\/ /,
  js: /^\s*(?:\/\/|\/?\*)|[;,{}()[\]] \/\/ /,
  css: /^\s*\/?\*/,
  html: /^\s*<!--/,
  yaml: /^\s*#/,
  service: /^\s*#/,
};

/** Each line of `text` is `words → instead`; lines that begin with # are comments. */
export function parseBannedWords(text: string): readonly BannedWords[] {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('#'))
    .map((line) => {
      const [words = '', instead = ''] = line.split('→').map((part) => part.trim());
      if (!/^[\w' -]+$/.test(words) || instead === '')
        throw new Error(`banned-words.txt: expected "words → instead", got: ${line}`);
      const source = words.split(' ').join(gap);
      return { words, instead, pattern: new RegExp(String.raw`(?<![\w-])${source}(?![\w-])`, 'giu') };
    });
}

/** Findings of one file, in the order of its lines. `name` decides what is prose: all of `*.md`, comments elsewhere. */
export function checkProse(name: string, text: string, banned: readonly BannedWords[]): readonly Finding[] {
  const tooWide = (name.endsWith('.md') ? wideProse(text) : wideComments(name, text)).map((line) => ({
    line,
    message: `longer than ${maxColumns} columns`,
  }));
  const words = banned.flatMap(({ words, instead, pattern }) =>
    [...text.matchAll(pattern)].map(({ index }) => ({
      line: text.slice(0, index).split('\n').length,
      message: `"${words}"; write: ${instead}`,
    })),
  );
  return [...tooWide, ...words].sort((a, b) => a.line - b.line);
}

/** Tables, HTML, code blocks, link targets and URLs are exempt: they cannot be wrapped. */
function wideProse(text: string): number[] {
  let fence: string | undefined;
  return text.split('\n').flatMap((line, index) => {
    const mark = /^\s*(```+|~~~+)/.exec(line)?.[1];
    if (mark && (fence === undefined || mark.startsWith(fence))) {
      fence = fence === undefined ? mark : undefined;
      return [];
    }
    const isExempt = fence !== undefined || /^\s*[|<]/.test(line) || /^\[[^\]]+\]:/.test(line);
    return !isExempt && columns(line.replaceAll(/\]\([^)]*\)/g, ']')) > maxColumns ? [index + 1] : [];
  });
}

function wideComments(name: string, text: string): number[] {
  const marks = commentMarks[name.split('.').at(-1) ?? ''] ?? (/Dockerfile/.test(name) ? commentMarks.yaml : undefined);
  if (!marks) return [];
  return text.split('\n').flatMap((line, index) => (marks.test(line) && columns(line) > maxColumns ? [index + 1] : []));
}

/** Characters of a line without its URLs. */
function columns(line: string): number {
  return [...line.replaceAll(/https?:\/\/\S+/g, '')].length;
}

/** Files with prose below a folder, relative to it, sorted. */
export function proseFiles(folder: string): readonly string[] {
  const below = (path: string): string[] =>
    readdirSync(join(folder, path), { withFileTypes: true }).flatMap((entry) => {
      const file = join(path, entry.name);
      if (entry.isDirectory()) return skippedFolders.has(entry.name) ? [] : below(file);
      return /\.(?:md|ts|js|css|html|yaml|service)$|^Dockerfile/.test(entry.name) ? [file] : [];
    });
  return below('').sort();
}

/** Prints the findings below the folder. @returns the exit code */
function main(): number {
  const root = resolve(import.meta.dirname, '..');
  const banned = parseBannedWords(readFileSync(join(import.meta.dirname, 'banned-words.txt'), 'utf8'));
  let count = 0;
  for (const file of proseFiles(root)) {
    if (file === 'test/tools/prose.test.ts') continue;
    for (const { line, message } of checkProse(file, readFileSync(join(root, file), 'utf8'), banned)) {
      console.log(`${file}:${line}: ${message}`);
      count += 1;
    }
  }
  if (count > 0) console.log(`\n${count} findings.`);
  return count === 0 ? 0 : 1;
}

if (import.meta.main) process.exitCode = main();
