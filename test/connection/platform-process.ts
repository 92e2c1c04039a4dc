// What platform-in-a-process.ts starts: calls come as messages, and so do the replies.
import { createShelf, openStage } from '../support/stage.ts';

const shelf = createShelf((name) => new Error(`There is no ${name}.`));
const stage = openStage({ source: shelf, lookup: async () => [{ address: '127.0.0.1' }] });

process.on('message', async (message: { document?: string; request?: object }) => {
  if (message.document) {
    shelf.put('platform', 'v1', message.document);
    process.send?.('ready');
  } else if (message.request) {
    process.send?.(await stage.invoke(message.request));
  }
});
process.send?.('started');
