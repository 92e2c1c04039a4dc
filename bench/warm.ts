// Two programs in one process, their calls taking turns. Arguments: warm-up rounds, rounds, the URL, then name=bundle for each.
import { context, type Handler, invocationEvent } from './event.ts';

const [warmUpText = '', roundsText = '', url = '', ...bundles] = process.argv.slice(2);
/** V8 compiles what runs often step by step; a function that serves has long been through it. */
const warmUpRounds = Number(warmUpText);
const rounds = Number(roundsText);
const event = invocationEvent(url);
const programs: { name: string; handler: Handler; ms: number[] }[] = [];
for (const pair of bundles) {
  const [name = '', path = ''] = pair.split('=');
  const { handler } = (await import(path)) as { handler: Handler };
  programs.push({ name, handler, ms: [] });
}

const connections: Record<string, number> = {};
for (let round = -warmUpRounds; round < rounds; round++) {
  // A new order each round, so that no program always follows the same one.
  for (const program of shuffled(programs)) {
    const start = performance.now();
    const answer = await program.handler(event, context);
    const ms = performance.now() - start;
    if (answer.statusCode !== 200) throw new Error(`${program.name} failed: ${answer.body}`);
    if (round >= 0) program.ms.push(ms);
    if (program.name === 'countersign') {
      const { connection } = JSON.parse(answer.body).handshake;
      connections[connection] = (connections[connection] ?? 0) + 1;
    }
  }
}
process.send?.({ ms: Object.fromEntries(programs.map(({ name, ms }) => [name, ms])), connections }, () =>
  process.exit(0),
);

function shuffled<Item>(items: readonly Item[]): Item[] {
  const order = [...items];
  for (let at = order.length - 1; at > 0; at--) {
    const other = Math.floor(Math.random() * (at + 1));
    [order[at], order[other]] = [order[other] as Item, order[at] as Item];
  }
  return order;
}
