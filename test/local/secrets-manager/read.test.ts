// GetRandomPassword and its options.
import { GetRandomPasswordCommand, type GetRandomPasswordCommandInput } from '@aws-sdk/client-secrets-manager';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { getRandomPassword } from '../../../local/secrets-manager/read.ts';
import { startServer } from '../../support/local-secrets-manager/local-server.ts';

const classes = {
  ExcludeLowercase: /[a-z]/,
  ExcludeUppercase: /[A-Z]/,
  ExcludeNumbers: /[0-9]/,
  ExcludePunctuation: /[!-/:-@[-`{-~]/,
} as const;

describe('a random password', () => {
  it('has 32 characters of every type unless told otherwise, and is another one each time', async () => {
    const { client } = await startServer();
    const { RandomPassword: one = '' } = await client.send(new GetRandomPasswordCommand({}));
    const { RandomPassword: other = '' } = await client.send(new GetRandomPasswordCommand({}));
    expect(one).toMatch(/^[!-~]{32}$/);
    for (const type of Object.values(classes)) expect(one).toMatch(type);
    expect(other).not.toBe(one);
  });

  it('keeps to its options, whatever they are', () => {
    const options = fc.record({
      PasswordLength: fc.integer({ min: 4, max: 60 }),
      ExcludeCharacters: fc.string({ maxLength: 30 }),
      ExcludeLowercase: fc.boolean(),
      ExcludeUppercase: fc.boolean(),
      ExcludeNumbers: fc.boolean(),
      // One type always stays: what happens without any is another test's.
      ExcludePunctuation: fc.constant(false),
      IncludeSpace: fc.boolean(),
      RequireEachIncludedType: fc.boolean(),
    });
    fc.assert(
      fc.property(options, (input) => {
        const { RandomPassword: password } = getRandomPassword(input);
        expect(password).toHaveLength(input.PasswordLength);
        expect(password).toMatch(input.IncludeSpace ? /^[ -~]*$/ : /^[!-~]*$/);
        for (const character of password) expect(input.ExcludeCharacters).not.toContain(character);
        for (const [option, type] of Object.entries(classes)) {
          const excluded = input[option as keyof typeof classes];
          if (excluded) expect(password).not.toMatch(type);
          const all = Array.from({ length: 94 }, (_, n) => String.fromCharCode(33 + n)).filter((c) => type.test(c));
          const possible = !excluded && all.some((c) => !input.ExcludeCharacters.includes(c));
          if (possible && input.RequireEachIncludedType) expect(password).toMatch(type);
        }
      }),
    );
  });

  it('does not put the required types in front', () => {
    const firsts = new Set(Array.from({ length: 200 }, () => getRandomPassword({}).RandomPassword[0]));
    expect([...firsts].some((character) => /[^a-z]/.test(character ?? ''))).toBe(true);
  });

  const none = { ExcludeLowercase: true, ExcludeUppercase: true, ExcludeNumbers: true, ExcludePunctuation: true };
  it.each<[GetRandomPasswordCommandInput, string]>([
    [{ PasswordLength: 3 }, 'InvalidParameterException'],
    [none, 'InvalidParameterException'],
    [{ PasswordLength: 4097 }, 'ValidationException'],
    [{ PasswordLength: 0 }, 'ValidationException'],
  ])('is not made with %j', async (options, name) => {
    const { client } = await startServer();
    await expect(client.send(new GetRandomPasswordCommand(options))).rejects.toMatchObject({ name });
  });

  it('may be of spaces alone', () => {
    expect(getRandomPassword({ ...none, IncludeSpace: true, PasswordLength: 2 }).RandomPassword).toBe('  ');
  });
});
