// The console's page: a fixed list of files, read once, sent with a content security policy that leaves nothing but themselves.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { IncomingHttpHeaders } from 'node:http';
import { join } from 'node:path';
import type { HttpAnswer } from '../listener/http-answer.ts';

const types = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
} as const;

/** No path of a request is ever joined to a folder: what is not on this list is not there. */
export const consoleFiles = [
  'index.html',
  'look.css',
  'parts.css',
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

/** Whatever got into the page would have nowhere to load from and nowhere to send to. */
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

interface KeptFile {
  readonly body: Buffer;
  readonly etag: string;
  readonly headers: readonly string[];
}

export interface ConsolePage {
  /** Undefined when the path (without its query) is none of a file's, or the method is not GET or HEAD. */
  file(method: string, path: string, headers: IncomingHttpHeaders): HttpAnswer | undefined;
}

/** Reads the files. Throws when one is missing. */
export function openPage(): ConsolePage {
  const kept = new Map<string, KeptFile>();
  for (const name of consoleFiles) kept.set(`/console/${name}`, readOne(name));
  const start = kept.get('/console/index.html') as KeptFile;
  kept.set('/', start);
  kept.set('/console/', start);
  return {
    file(method, path, headers) {
      if (method !== 'GET' && method !== 'HEAD') return undefined;
      const file = kept.get(path);
      if (file === undefined) return undefined;
      const isKnown = (headers['if-none-match'] ?? '').split(',').some((tag) => tag.trim() === file.etag);
      if (isKnown) return { status: 304, headers: file.headers, body: '' };
      return { status: 200, headers: file.headers, body: file.body };
    },
  };
}

function readOne(name: (typeof consoleFiles)[number]): KeptFile {
  const body = readFileSync(join(import.meta.dirname, 'page', name));
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
  const type = types[name.split('.').at(-1) as keyof typeof types];
  // Asked for anew each time, and sent only when it has changed: a page and scripts of two releases never meet.
  return { body, etag, headers: ['content-type', type, 'cache-control', 'no-cache', 'etag', etag, ...securityHeaders] };
}

/** Somebody follows a link or types the address: no other page can read the answer, nor show it in a frame. */
export function isVisit(headers: IncomingHttpHeaders): boolean {
  return headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document';
}
