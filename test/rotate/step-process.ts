// The rotation function as it is deployed, in a process of its own that a test can kill.
import { handler } from '../../functions/rotate/handler.ts';
import { lambdaContext } from '../support/stage.ts';

process.on('message', async (event) => {
  try {
    await handler(event, lambdaContext(60_000));
    process.send?.({ failure: undefined });
  } catch (thrown) {
    process.send?.({ failure: thrown instanceof Error ? `${thrown.message}\n${thrown.stack}` : 'not an Error' });
  }
});
process.send?.('imported');
