// The npm packages whose code is in a bundle, according to the metafile of esbuild.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Metafile } from 'esbuild';
import { manifest } from './manifest.ts';

export interface BundledPackage {
  readonly name: string;
  readonly version: string;
  /** SPDX expression. */
  readonly license: string;
  /** The texts of its licence and notice files. */
  readonly texts: readonly string[];
}

/** Packages with at least one byte in an output, sorted by name and version. Throws if one has no licence. */
export function bundledPackages(metafiles: readonly Metafile[], root: string): readonly BundledPackage[] {
  const folders = new Set(
    metafiles
      .flatMap(({ outputs }) => Object.values(outputs))
      .flatMap(({ inputs }) => Object.entries(inputs))
      .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
      .flatMap(([file]) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? []),
  );
  const packages = new Map(
    [...folders].map((folder) => {
      const one = readPackage(join(root, folder));
      return [`${one.name}@${one.version}`, one] as const;
    }),
  );
  return [...packages].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
}

function readPackage(folder: string): BundledPackage {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  if (typeof license !== 'string') throw new Error(`The package ${name}@${version} names no licence.`);
  const texts = readdirSync(folder)
    .filter((file) => /^(?:licen[cs]e|notice|copying)(?:[.-]|$)/i.test(file))
    .sort()
    .map((file) => readFileSync(join(folder, file), 'utf8').replaceAll('\r\n', '\n').trim());
  if (texts.length === 0 && license === 'MIT') texts.push(...noticeInReadme(folder));
  if (texts.length === 0 && license !== manifest.license)
    throw new Error(`The package ${name}@${version} contains no licence text.`);
  return { name, version, license, texts };
}

/** Some packages have no licence file: the copyright is in a section of the README, the text is that of the licence. */
function noticeInReadme(folder: string): readonly string[] {
  const file = join(folder, 'README.md');
  const readme = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const copyright = /^## Licen[cs]e\s[^#]*?(Copyright [^\n]+)/im.exec(readme)?.[1];
  if (copyright === undefined) return [];
  const text = readFileSync(join(import.meta.dirname, 'mit-license.txt'), 'utf8').trim();
  return [`MIT License\n\n${copyright.replace(/\[([^\]]+)\]\([^)]+\)/g, '$1').trim()}\n\n${text}`];
}

/** The text of THIRD-PARTY-LICENSES.txt: equal texts once, below all packages that have them. */
export function licenseTexts(packages: readonly BundledPackage[]): string {
  const byText = new Map<string, string[]>();
  for (const { name, version, license, texts } of packages) {
    // Some packages have no file for the licence that is also ours.
    const text = texts.join('\n\n') || 'The text is in the file LICENSE.';
    byText.set(text, [...(byText.get(text) ?? []), `${name} ${version} (${license})`]);
  }
  const sections = [...byText].map(([text, names]) => `${names.join('\n')}\n\n${text}\n`);
  return `This package contains code of these packages.\n\n${sections.join(`\n${'-'.repeat(80)}\n\n`)}`;
}
