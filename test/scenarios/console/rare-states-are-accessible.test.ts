// Accessibility of rare states, with made-up data: no identities, a rotation in progress, a long chain, a failing
// server.
import { describe, expect, it } from 'vitest';
import type { ConsoleState } from '../../../console/state.ts';
import { look } from '../../support/console/audit.ts';
import { chromium, notOk, settled, useConsoleInChromium } from '../../support/console/console-in-chromium.ts';

describe.skipIf(!chromium)('rare states of the console (needs chromium)', { timeout: 120_000 }, () => {
  const at = useConsoleInChromium();

  it('axe finds no violation', async () => {
    const reply = await fetch(`${at.cloud.gatewayUrl}/console/api/state`);
    const state = (await reply.json()) as ConsoleState;
    const [platform] = state.identities.filter(({ name }) => name === 'platform');
    if (platform?.current === undefined) throw new Error('The local cloud has no identity.');
    const [certificate] = platform.current.chain;
    const long = { ...platform.current, chain: Array(9).fill(certificate) };
    const waiting = { version: 'v', chain: [] };
    const { rotation: _rotation, ...unrotated } = platform;
    const events = ['Certificate Activated', 'Certificate Rejected', 'Certificate Pending', 'Hello'].map((type) => {
      return { id: type, time: state.now, type, identity: 'platform', rejectedBy: ['pins.demo.localhost:8452'] };
    });
    const states: readonly (ConsoleState | number)[] = [
      { ...state, identities: [], events: [], caller: 'c'.repeat(64) },
      {
        ...state,
        events,
        identities: [
          {
            ...platform,
            previous: platform.current,
            next: platform.current,
            rotation: { isEnabled: true, isUnderWay: true },
            destinations: platform.destinations.map((destination, index) => {
              const verdict = (['access-granted', 'access-refused', 'not-mutual'] as const)[index % 3] ?? 'unreachable';
              const { host, port } = destination;
              return { ...destination, verdicts: [{ host, port, verdict, certainty: 'inferred', at: state.now }] };
            }),
          },
        ],
      },
      {
        ...state,
        identities: [{ ...platform, next: waiting, current: long }],
      },
      {
        ...state,
        ...{ mayRotate: false, place: 'directory', furtherIdentities: 7 },
        identities: [
          { ...unrotated, name: 'n'.repeat(63), problem: { code: 'x', detail: 'it broke.', hint: 'Mend it.' } },
        ],
      },
      500,
      401,
    ];
    const findings: string[] = [];
    let answered = states[0] as ConsoleState | number;
    const page = await at.open('', {}, [notOk], (fresh) =>
      fresh.route('**/console/api/state', (route) =>
        typeof answered === 'number'
          ? route.fulfill({ status: answered, json: {} })
          : route.fulfill({ json: answered }),
      ),
    );
    for (const one of states) {
      answered = one;
      await page.goto('about:blank');
      await page.goto(`${at.cloud.gatewayUrl}/`);
      await page.locator(settled).first().waitFor();
      await look(page, findings);
      if (typeof one === 'number' || one.events === undefined) continue;
      await page.click('[data-view=events]');
      await look(page, findings);
    }
    expect(findings).toEqual([]);
  });
});
