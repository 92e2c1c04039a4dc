// One identity and many in one process, their calls taking turns. Arguments: the bundle, the URL, identities, calls.
import { context, type Handler, invocationEvent } from './event.ts';

const [bundle = '', url = '', manyText = '', callsText = ''] = process.argv.slice(2);
const many = Number(manyText);
const { handler } = (await import(bundle)) as { handler: Handler };

async function call(identity: string): Promise<number> {
  const event = invocationEvent(url, identity);
  const start = performance.now();
  const answer = await handler(event, context);
  const ms = performance.now() - start;
  if (answer.statusCode !== 200) throw new Error(`${identity} failed: ${answer.body}`);
  return ms;
}

const heapBefore = process.memoryUsage();
for (let n = 0; n < many; n++) await call(`identity-${n}`);
for (let n = 0; n < 500; n++) await call('platform');
const heapAfter = process.memoryUsage();

const one: number[] = [];
const all: number[] = [];
for (let n = 0; n < Number(callsText); n++) {
  one.push(await call('platform'));
  // Every identity is called equally often, and none twice in a row: the least friendly order for any cache.
  all.push(await call(`identity-${(n * 7919) % many}`));
}
process.send?.({ one, all, bytesEach: Math.round((heapAfter.rss - heapBefore.rss) / many) }, () => process.exit(0));
