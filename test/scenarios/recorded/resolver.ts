// Loaded before a program under test (`node --import`): resolves names below .test without a name server.
import { promises as dns } from 'node:dns';

const addresses: Readonly<Record<string, readonly string[]>> = {
  'good.test': ['127.0.0.1'],
  'mixed.test': ['127.0.0.1', '10.1.2.3'],
  'private.public.test': ['10.1.2.3'],
  'metadata.public.test': ['169.254.169.254'],
  'empty.public.test': [],
};

async function answer(host: string): Promise<{ address: string; family: 4 }[]> {
  if (host === 'slow.public.test') return new Promise(() => undefined);
  const found = addresses[host];
  if (found) return found.map((address) => ({ address, family: 4 }));
  const code = host === 'trouble.public.test' ? 'EAI_AGAIN' : 'ENOTFOUND';
  throw Object.assign(new Error(`getaddrinfo ${code} ${host}`), { code });
}

Object.assign(dns, { lookup: answer });
