// A deployed function in a process of its own, as Lambda runs it: an event for each line of standard input.
import { createInterface } from 'node:readline';

const [, , file = ''] = process.argv;
const { handler } = (await import(file)) as { handler: (event: unknown, context: object) => Promise<unknown> };

let calls = 0;
for await (const line of createInterface({ input: process.stdin })) {
  const { event, remainingMs = 29_000 } = JSON.parse(line) as { event: unknown; remainingMs?: number };
  const deadline = Date.now() + remainingMs;
  const awsRequestId = `00000000-0000-4000-8000-${String(++calls).padStart(12, '0')}`;
  const context = { awsRequestId, getRemainingTimeInMillis: () => deadline - Date.now() };
  try {
    say({ answered: await handler(event, context) });
  } catch (error) {
    say({ threw: error instanceof Error ? { name: error.name, message: error.message } : String(error) });
  }
}

function say(outcome: object): void {
  process.stdout.write(`outcome ${JSON.stringify(outcome)}\n`);
}
