// One process, one call: from the start of the process to the first answer. Arguments: the bundle, the URL to call.
import { context, type Handler, invocationEvent } from './event.ts';

const [bundle = '', url = ''] = process.argv.slice(2);
const { handler } = (await import(bundle)) as { handler: Handler };
const answer = await handler(invocationEvent(url), context);
// performance.now() counts from the start of the process.
const ms = performance.now();
if (answer.statusCode !== 200) throw new Error(`The call failed: ${answer.body}`);
process.send?.(ms, () => process.exit(0));
