// Reads one body as a call does, with a deadline of 10 s, and sends what it cost. Argument: the port.
import { request } from 'node:http';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { collectBody } from '../../core/http/body.ts';
import { limits } from '../../core/settings.ts';

const [, , port = ''] = process.argv;
const deadlineMs = 10_000;

request({ host: '127.0.0.1', port, agent: false }, async (response) => {
  const before = process.resourceUsage().maxRSS;
  const cpu = process.cpuUsage();
  const startedAt = performance.now();
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const isAbandoned = () => performance.now() - startedAt > deadlineMs;
  const outcome = await collectBody(response, { limitBytes: limits.maxAnswerBytes, decode: true, isAbandoned }).then(
    ({ bytes }) => `${(bytes.length / 1e6).toFixed(2)} MB`,
    (error) => error.code,
  );
  const { user, system } = process.cpuUsage(cpu);
  process.send?.(
    {
      outcome,
      ms: performance.now() - startedAt,
      cpuMs: (user + system) / 1_000,
      blockedMs: delay.max / 1e6,
      grownBytes: (process.resourceUsage().maxRSS - before) * 1024,
    },
    () => process.exit(0),
  );
}).end();
