// The function as it is deployed, in a process of its own: what its environment says is read when it is imported.
import { handler } from '../../../functions/invoke.ts';
import { lambdaContext } from '../stage.ts';

process.on('message', async (event) => process.send?.(await handler(event, lambdaContext(29_000))));
process.send?.('imported');
