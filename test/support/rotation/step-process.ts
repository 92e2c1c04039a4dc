// A rotation function in a process of its own that a test can kill: the handler whose file is named in the arguments.
import { pathToFileURL } from 'node:url';

const { handler } = await import(pathToFileURL(process.argv[2] ?? '').href);
const context = { awsRequestId: 'request-1', getRemainingTimeInMillis: () => 60_000 };

process.on('message', async (event) => {
  try {
    await handler(event, context);
    process.send?.({ failure: undefined });
  } catch (thrown) {
    process.send?.({ failure: thrown instanceof Error ? `${thrown.message}\n${thrown.stack}` : 'not an Error' });
  }
});
process.send?.('imported');
