// docs/operate.md documents every log line and metric.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { metricsNamespace } from '../../../core/settings.ts';
import { metricNames } from '../../support/telemetry/emitted.ts';

const root = join(import.meta.dirname, '../../..');
const page = readFileSync(join(root, 'docs/operate.md'), 'utf8');
const source = readdirSync(join(root, 'core/telemetry'))
  .map((file) => readFileSync(join(root, 'core/telemetry', file), 'utf8'))
  .join('\n');

function section(title: string): string {
  return page.slice(page.indexOf(`\n## ${title}\n`)).split(/\n## /)[1] ?? '';
}

describe('docs/operate.md', () => {
  it('has each metric, and the namespace', () => {
    const metrics = metricNames();
    expect(metrics.size).toBe(25);
    for (const name of metrics) expect(section('Metrics')).toContain(`\`${name}\``);
    expect(section('Metrics')).toContain(`\`${metricsNamespace}\``);
  });

  it('has each line by its message, each field of a call, and each field of a failure', () => {
    const messages = new Set([...source.matchAll(/"?message"?: ?['"]([a-z ]+)['"]/g)].map(([, message]) => message));
    expect(messages.size).toBe(12);
    for (const message of messages) expect(section('The lines')).toContain(`\n| \`${message}\` |`);
    const fields = [...source.matchAll(/^ {2}(\w+)\??: .+;$/gm)].map(([, field]) => field);
    expect(fields.length).toBeGreaterThan(25);
    for (const field of fields) expect(section('The lines'), field).toContain(`\`${field}\``);
  });
});
