// What platform-in-a-process.ts starts: calls come as messages, and so do the replies.
import { secretsManagerSource } from '../../../core/identity/secrets-manager.ts';
import { createShelf, openStage, type StageOptions } from '../stage.ts';

const shelf = createShelf((name) => new Error(`There is no ${name}.`));
const open = (options: StageOptions) => openStage({ ...options, lookup: async () => [{ address: '127.0.0.1' }] });
let stage = open({ source: shelf });

interface Message {
  readonly document?: string;
  readonly attemptTimeoutMs?: number;
  readonly request?: object;
}

process.on('message', async ({ document, attemptTimeoutMs, request }: Message) => {
  if (document) {
    shelf.put('platform', 'v1', document);
    process.send?.('ready');
  } else if (attemptTimeoutMs) {
    stage = open({ source: secretsManagerSource({ prefix: '', attemptTimeoutMs }), ttlMs: 1 });
    process.send?.('ready');
  } else process.send?.(request ? await stage.invoke(request) : stage.lines);
});
process.send?.('started');
