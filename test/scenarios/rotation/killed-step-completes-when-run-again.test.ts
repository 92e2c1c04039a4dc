// The function as deployed, killed before and after each call it makes, in every step; then run again as Secrets
// Manager does.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { build } from 'esbuild';
import { expect, it, onTestFinished } from 'vitest';
import { checkIdentity } from '../../../core/identity/check.ts';
import { rotationSteps } from '../../../core/rotation/rotate.ts';
import { esbuildOptions } from '../../../infra/bundling.ts';
import { destinationAt, startApi } from '../../support/connections/customer-api.ts';
import { privateFolder } from '../../support/program.ts';
import { createKillingProxy, type Moment } from '../../support/rotation/killing-proxy.ts';
import { openPipeline, type Pipeline, type StepEvent } from '../../support/rotation/rotation-pipeline.ts';

type Step = (typeof rotationSteps)[number];

interface Case {
  readonly step: Step;
  readonly call: number;
  readonly moment: Moment;
}

/** One way through the pipeline, with its own wires: several are gone at the same time. */
async function openLane(pipeline: Pipeline, api: { readonly port: number }, bundle: string) {
  const wire = createKillingProxy();
  const state = { identity: '', unusable: [] as string[] };
  const secretsUrl = await wire.before(pipeline.secretsUrl, 'secrets', async (call) => {
    if (!/Put|Update/.test(call)) return;
    const document = JSON.stringify(await pipeline.value(state.identity));
    try {
      checkIdentity(state.identity, { version: '', stage: 'AWSCURRENT', document }, Date.now());
    } catch (error) {
      state.unusable.push(`${call}: ${error}`);
    }
  });
  const busUrl = await wire.before(pipeline.bus.url, 'bus');
  const issuerUrl = await wire.before(pipeline.authority.url, 'issuer');
  const port = await wire.beforePort(api.port);
  const env = {
    PATH: process.env.PATH,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
    AWS_ENDPOINT_URL_SECRETS_MANAGER: secretsUrl,
    AWS_ENDPOINT_URL_EVENTBRIDGE: busUrl,
    COUNTERSIGN_EVENT_BUS: 'certificates',
  };

  async function startFunction(): Promise<ChildProcess> {
    const child = fork(new URL('../../support/rotation/step-process.ts', import.meta.url), [bundle], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      env,
    });
    onTestFinished(async () => {
      const ended = once(child, 'exit');
      if (child.kill('SIGKILL')) await ended;
    });
    await once(child, 'message');
    return child;
  }

  const steady = await startFunction();
  let spare = startFunction();

  async function call(step: Step, event: StepEvent): Promise<void> {
    const answered = once(steady, 'message');
    steady.send({ Step: step, ...event });
    const [{ failure }] = await answered;
    expect(failure).toBeUndefined();
  }

  async function begin(identity: string): Promise<StepEvent> {
    state.identity = identity;
    const destination = destinationAt({ port }, pipeline.authorities, { host: 'localhost', probe: { path: '/' } });
    const renewal = { issuer: { kind: 'local', url: issuerUrl } };
    await pipeline.create(identity, pipeline.document({ destinations: [destination], renewal }));
    return pipeline.rotateSecret(identity);
  }

  return {
    /** How many calls each step makes when nothing goes wrong. */
    async count(identity: string): Promise<Map<Step, string[]>> {
      const event = await begin(identity);
      const counts = new Map<Step, string[]>();
      for (const step of rotationSteps) {
        wire.disarm();
        await call(step, event);
        counts.set(step, [...wire.calls]);
      }
      return counts;
    },

    async go(identity: string, { step, call: at, moment }: Case): Promise<void> {
      const event = await begin(identity);
      wire.disarm();
      for (const earlier of rotationSteps.slice(0, rotationSteps.indexOf(step))) await call(earlier, event);
      const victim = await spare;
      spare = startFunction();
      wire.arm(at, moment, victim);
      const ended = Promise.race([once(victim, 'exit'), once(victim, 'message')]);
      victim.send({ Step: step, ...event });
      await ended;
      expect(victim.signalCode, `${step} is killed ${moment} call ${at}`).toBe('SIGKILL');
      wire.disarm();
      for (const again of rotationSteps) await call(again, event);
      expect(state.unusable).toEqual([]);
      const stages = await pipeline.stages(identity);
      expect(stages[event.ClientRequestToken]).toEqual(['AWSCURRENT']);
      expect(Object.values(stages).flat().sort()).toEqual(['AWSCURRENT', 'AWSPREVIOUS']);
      const about = pipeline.bus.events.filter(({ detail }) => detail.identity === identity);
      const told = new Set(about.map(({ detailType }) => detailType));
      expect(told).toEqual(new Set(['Certificate Pending', 'Certificate Activated']));
      const current = await pipeline.value(identity);
      for (const { detail } of about)
        expect(current.certificate).toBe(detail.chain.slice(0, current.certificate.length));
    },
  };
}

it('ends with one current certificate, issued once, always usable, and without other labels', async () => {
  const pipeline = await openPipeline();
  const api = await startApi(pipeline.authorities);
  const outdir = privateFolder().path;
  await build({ ...esbuildOptions, sourcemap: false, entryPoints: { index: 'functions/rotate.ts' }, outdir });
  const bundle = join(outdir, 'index.mjs');
  const lanes = await Promise.all(Array.from({ length: 4 }, () => openLane(pipeline, api, bundle)));
  const [first] = lanes as [(typeof lanes)[0]];
  const counts = await first.count('uninterrupted');
  expect(counts.get('createSecret')).toContain('issuer');
  expect(counts.get('testSecret')).toContain('destination');

  const cases = rotationSteps.flatMap((step) =>
    (counts.get(step) ?? []).flatMap((_, index) =>
      (['before', 'after'] as const).map((moment): Case => ({ step, call: index + 1, moment })),
    ),
  );
  expect(cases.length).toBeGreaterThan(40);
  const waiting = cases.entries();
  const failures: string[] = [];
  await Promise.all(
    lanes.map(async (lane) => {
      for (const [index, one] of waiting) {
        const where = `${one.step}, ${one.moment} call ${one.call} (${counts.get(one.step)?.[one.call - 1]})`;
        await lane.go(`case-${index}`, one).catch((error) => failures.push(`${where}: ${error}`));
      }
    }),
  );
  expect(failures).toEqual([]);
  expect(pipeline.authority.signed).toBe(cases.length + 1);
}, 300_000);
