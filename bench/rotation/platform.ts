// A process of its own: the deployed invocation function, called without a pause by so many callers until it is told to end.
import { context, type Handler, invocationEvent } from '../event.ts';
import { wallClock } from './clock.ts';

export interface MadeCall {
  /** Milliseconds since 1970. */
  readonly begunAt: number;
  readonly ms: number;
  /** Of the certificate that was presented; empty for a call that failed. */
  readonly fingerprint256: string;
  /** What a failed call was answered with. */
  readonly failure?: string;
}

const [url = '', callers = '', atLeast = ''] = process.argv.slice(2);
const { handler } = (await import('../../functions/invoke.ts')) as unknown as { handler: Handler };
const event = invocationEvent(url);

let mayEnd = false;
process.on('message', () => {
  mayEnd = true;
});

const made: MadeCall[] = [];
let begun = 0;
async function call(): Promise<void> {
  begun += 1;
  const begunAt = wallClock();
  const { statusCode, body } = await handler(event, context);
  const ms = wallClock() - begunAt;
  const answer = JSON.parse(body);
  if (statusCode === 200 && answer.status === 200) {
    made.push({ begunAt, ms, fingerprint256: answer.handshake.client.fingerprint256 });
  } else made.push({ begunAt, ms, fingerprint256: '', failure: body.slice(0, 500) });
}

// V8 compiles what runs often step by step; these do not count.
for (let round = 0; round < 50; round += 1) await Promise.all(Array.from({ length: Number(callers) }, call));
made.length = 0;
begun = 0;
process.send?.('ready');
await Promise.all(
  Array.from({ length: Number(callers) }, async () => {
    while (!mayEnd || begun < Number(atLeast)) await call();
  }),
);
process.send?.(made, () => process.exit(0));
