import { expect, it } from 'vitest';
import { openConsole } from '../../console/console.ts';
import { createRecentVerdicts } from '../../console/recent-verdicts.ts';
import { answerConsole, consoleRoutes } from '../../console/routes.ts';

it('the state is a 503 without details while the store is unavailable, and a 200 afterwards', async () => {
  let time = 0;
  let isAway = true;
  const console = openConsole({
    place: 'directory',
    source: { read: () => Promise.reject(new Error('not asked')) },
    stages: ['AWSCURRENT'],
    names: () => (isAway ? Promise.reject(new Error('EACCES: /etc/countersign/secret-place')) : Promise.resolve([])),
    verdicts: createRecentVerdicts(),
    now: () => time,
  });
  const route = { routeKey: consoleRoutes.state, pathParameters: undefined };
  const question = { contentType: undefined, body: Buffer.alloc(0), caller: undefined };
  const answer = () => answerConsole(console, route, question);
  expect(await answer()).toMatchObject({
    status: 503,
    body: '{"message":"The identities cannot be listed at the moment."}',
  });
  isAway = false;
  time += 1_000;
  expect(await answer()).toMatchObject({ status: 200 });
});
