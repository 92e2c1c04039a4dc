// Identity names that differ only in hyphens: logical ids have none.
import { afterAll, describe, expect, it } from 'vitest';
import { constructIds } from '../../infra/identity-store.ts';
import { synthesize } from '../support/infra/synthesize.ts';

const monthly = (identity: string) => ({ identity, schedule: 'rate(30 days)' });
const stacksOf = (names: readonly string[]) =>
  synthesize({ 'countersign:callers': names, 'countersign:rotations': names.map(monthly) });

const one = stacksOf(['acme1']);
const both = stacksOf(['acme1', 'acme-1']);
afterAll(() => {
  one.remove();
  both.remove();
});

const idsOf = ({ template }: typeof one) => Object.keys((template.toJSON() as { Resources: object }).Resources);

describe('identities acme1 and acme-1', () => {
  it('each have a secret, a schedule and a caller policy', () => {
    const names = Object.values(both.resources('AWS::SecretsManager::Secret')).map(({ Properties }) => Properties.Name);
    expect(names.sort()).toEqual(['acme-1', 'acme1', 'platform'].map((name) => `countersign/identities/${name}`));
    expect(Object.keys(both.resources('AWS::SecretsManager::RotationSchedule'))).toHaveLength(2);
    const policies = JSON.stringify(both.resources('AWS::IAM::ManagedPolicy'));
    expect(policies).toContain('/identities/acme1/');
    expect(policies).toContain('/identities/acme-1/');
    expect(Object.keys(both.outputs).filter((id) => id.endsWith('CallerPolicyArn'))).toHaveLength(2);
  });

  it('keep the logical ids that the first has without the second', () => {
    expect(idsOf(both)).toEqual(expect.arrayContaining(idsOf(one)));
    expect(both.outputs.Acme1CallerPolicyArn).toEqual(one.outputs.Acme1CallerPolicyArn);
  });
});

describe('the construct id of an identity', () => {
  it.each([
    ['platform', 'Platform'],
    ['acme-bank', 'AcmeBank'],
    ['acme-1', 'Acme1'],
    ['a-', 'A'],
  ])('%s is %s, as in 0.1.0', (name, id) => {
    expect(constructIds([name]).get(name)).toBe(id);
  });

  it('is different for each name, also for a name that contains the hash of another', () => {
    const hashed = constructIds(['acme1', 'acme-1']).get('acme-1') ?? '';
    const names = [hashed.toLowerCase(), 'acme1', 'acme-1', 'acme--1', 'acme1-'];
    expect(new Set(constructIds(names).values()).size).toBe(names.length);
  });
});
