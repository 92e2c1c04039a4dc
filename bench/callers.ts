// A process that calls bundled handlers, and sends what it measured. Arguments: `cold`, `warm` or `identities`, then
// those of the function of that name.

import { context, type Handler, invocationEvent } from './event.ts';

const [mode = '', ...args] = process.argv.slice(2);
const modes: Readonly<Record<string, (...args: string[]) => Promise<unknown>>> = { cold, warm, identities };
const measured = await modes[mode]?.(...args);
process.send?.(measured, () => process.exit(0));

/** One call. @returns milliseconds from the start of the process to the response */
async function cold(bundle = '', url = ''): Promise<number> {
  const { handler } = (await import(bundle)) as { handler: Handler };
  await call(handler, invocationEvent(url));
  return performance.now();
}

/**
 * Programs in one process, their calls taking turns; each of `programs` is name=bundle.
 * @returns milliseconds of each call by program, and the connections of Countersign by kind
 */
async function warm(warmUpRounds = '', rounds = '', url = '', ...pairs: string[]): Promise<object> {
  const event = invocationEvent(url);
  const programs: { name: string; handler: Handler; ms: number[] }[] = [];
  for (const pair of pairs) {
    const [name = '', path = ''] = pair.split('=');
    const { handler } = (await import(path)) as { handler: Handler };
    programs.push({ name, handler, ms: [] });
  }
  const connections: Record<string, number> = {};
  // V8 optimizes code that runs often; a deployed function has passed this warm-up.
  for (let round = -Number(warmUpRounds); round < Number(rounds); round++) {
    // A new order each round, so that no program always follows the same one.
    for (const { name, handler, ms } of shuffled(programs)) {
      const start = performance.now();
      const body = await call(handler, event);
      const took = performance.now() - start;
      if (round >= 0) ms.push(took);
      if (name === 'countersign') {
        const { connection } = JSON.parse(body).handshake;
        connections[connection] = (connections[connection] ?? 0) + 1;
      }
    }
  }
  return { ms: Object.fromEntries(programs.map(({ name, ms }) => [name, ms])), connections };
}

/** @returns milliseconds of each call with one identity and with `count` of them, and bytes of memory per identity */
async function identities(bundle = '', url = '', count = '', calls = ''): Promise<object> {
  const many = Number(count);
  const { handler } = (await import(bundle)) as { handler: Handler };
  const timed = async (identity: string) => {
    const event = invocationEvent(url, identity);
    const start = performance.now();
    await call(handler, event);
    return performance.now() - start;
  };
  const heapBefore = process.memoryUsage();
  for (let n = 0; n < many; n++) await timed(`identity-${n}`);
  for (let n = 0; n < 500; n++) await timed('platform');
  const heapAfter = process.memoryUsage();
  const one: number[] = [];
  const all: number[] = [];
  for (let n = 0; n < Number(calls); n++) {
    one.push(await timed('platform'));
    // Each identity is called equally often and never twice in a row: the worst order for a cache.
    all.push(await timed(`identity-${(n * 7919) % many}`));
  }
  return { one, all, bytesEach: Math.round((heapAfter.rss - heapBefore.rss) / many) };
}

async function call(handler: Handler, event: object): Promise<string> {
  const { statusCode, body } = await handler(event, context);
  if (statusCode !== 200) throw new Error(`The call failed: ${body}`);
  return body;
}

function shuffled<Item>(items: readonly Item[]): Item[] {
  const order = [...items];
  for (let at = order.length - 1; at > 0; at--) {
    const other = Math.floor(Math.random() * (at + 1));
    [order[at], order[other]] = [order[other] as Item, order[at] as Item];
  }
  return order;
}
