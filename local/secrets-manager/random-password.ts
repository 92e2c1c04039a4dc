// GetRandomPassword.
import { randomInt } from 'node:crypto';
import * as v from 'valibot';
import { AwsError } from '../aws-protocol/aws-error.ts';
import { fields } from './input.ts';

export const getRandomPasswordSchema = v.object({
  PasswordLength: v.exactOptional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(4096))),
  ExcludeCharacters: v.exactOptional(v.pipe(v.string(), v.maxLength(4096))),
  ExcludeNumbers: fields.flag,
  ExcludePunctuation: fields.flag,
  ExcludeUppercase: fields.flag,
  ExcludeLowercase: fields.flag,
  IncludeSpace: fields.flag,
  RequireEachIncludedType: fields.flag,
});

const lowercase = 'abcdefghijklmnopqrstuvwxyz';
const numbers = '0123456789';
/** AWS API reference, GetRandomPassword, ExcludePunctuation. */
const punctuation = '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~';

export function getRandomPassword(input: v.InferOutput<typeof getRandomPasswordSchema>) {
  const length = input.PasswordLength ?? 32;
  const excluded = new Set(input.ExcludeCharacters);
  const types = [
    input.ExcludeLowercase ? '' : lowercase,
    input.ExcludeUppercase ? '' : lowercase.toUpperCase(),
    input.ExcludeNumbers ? '' : numbers,
    input.ExcludePunctuation ? '' : punctuation,
  ]
    .map((type) => [...type].filter((character) => !excluded.has(character)))
    .filter((type) => type.length > 0);
  const space = input.IncludeSpace && !excluded.has(' ') ? [' '] : [];
  const pool = [...types.flat(), ...space];
  if (pool.length === 0) {
    throw new AwsError('InvalidParameterException', 'No characters are left to make the password of.');
  }
  // The space is no type of its own: it may be in the password, it need not.
  const required = (input.RequireEachIncludedType ?? true) ? types.map(pick) : [];
  if (required.length > length) {
    throw new AwsError('InvalidParameterException', 'Password length is too short based on the required types.');
  }
  const rest = Array.from({ length: length - required.length }, () => pick(pool));
  return { RandomPassword: shuffled([...required, ...rest]).join('') };
}

function pick(characters: readonly string[]): string {
  return characters[randomInt(characters.length)] as string;
}

/** Fisher and Yates: without it the required types would stand in front, in their order. */
function shuffled(characters: readonly string[]): readonly string[] {
  const mixed = [...characters];
  for (let last = mixed.length - 1; last > 0; last -= 1) {
    const other = randomInt(last + 1);
    [mixed[last], mixed[other]] = [mixed[other] as string, mixed[last] as string];
  }
  return mixed;
}
