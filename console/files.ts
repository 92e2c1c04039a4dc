// The files of the console's page: a fixed list, read once, sent with a strict content security policy.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { IncomingHttpHeaders } from 'node:http';
import { join } from 'node:path';
import { packageFolder } from '../core/package-folder.ts';
import type { HttpAnswer } from '../listener/http-answer.ts';

const types = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
} as const;

/** The only files that are served: the path of a request is never joined to a folder. */
export const consoleFiles = [
  'index.html',
  'base.css',
  'forms.css',
  'parts.css',
  'identities.css',
  'chain.css',
  'diagnosis.css',
  'small-screens.css',
  'icon.svg',
  'main.js',
  'address.js',
  'answer.js',
  'ask.js',
  'chain.js',
  'choices.js',
  'destinations.js',
  'diagnosis.js',
  'elements.js',
  'events.js',
  'findings.js',
  'form.js',
  'identity.js',
  'invocation.js',
  'rotation.js',
  'timeline.js',
  'token.js',
  'words.js',
] as const;

/** Injected content can load nothing and send nothing to another server. */
export const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

const securityHeaders = [
  'content-security-policy',
  contentSecurityPolicy,
  'x-content-type-options',
  'nosniff',
  'referrer-policy',
  'no-referrer',
  'cross-origin-opener-policy',
  'same-origin',
  'cross-origin-resource-policy',
  'same-origin',
  'permissions-policy',
  'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
];

interface PageFile {
  readonly body: Buffer;
  readonly etag: string;
  readonly headers: readonly string[];
}

export interface ConsolePage {
  /** `path` without its query. Undefined if there is no such file, or the method is not GET or HEAD. */
  file(method: string, path: string, headers: IncomingHttpHeaders): HttpAnswer | undefined;
}

/** Reads the files. Throws if one is missing. */
export function openPage(): ConsolePage {
  const files = new Map<string, PageFile>();
  for (const name of consoleFiles) files.set(`/console/${name}`, readOne(name));
  const index = files.get('/console/index.html') as PageFile;
  files.set('/', index);
  files.set('/console/', index);
  return {
    file(method, path, headers) {
      if (method !== 'GET' && method !== 'HEAD') return undefined;
      const file = files.get(path);
      if (file === undefined) return undefined;
      const isUnchanged = (headers['if-none-match'] ?? '').split(',').some((tag) => tag.trim() === file.etag);
      if (isUnchanged) return { status: 304, headers: file.headers, body: '' };
      return { status: 200, headers: file.headers, body: file.body };
    },
  };
}

function readOne(name: (typeof consoleFiles)[number]): PageFile {
  const body = readFileSync(join(packageFolder, 'console/page', name));
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
  const type = types[name.split('.').at(-1) as keyof typeof types];
  // The browser revalidates each file, so a page never runs with the scripts of another release.
  return { body, etag, headers: ['content-type', type, 'cache-control', 'no-cache', 'etag', etag, ...securityHeaders] };
}

/** A top-level navigation, from a link or the address bar: no other page can read the answer or show it in a frame. */
export function isVisit(headers: IncomingHttpHeaders): boolean {
  return headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document';
}
