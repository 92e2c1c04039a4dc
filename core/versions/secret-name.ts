// Which identity a secret is of, by its name or its ARN.
import { identityNamePattern } from '../settings.ts';

/** AWS Secrets Manager User Guide, "What's in a Secrets Manager secret?": the name and a hyphen with six characters. */
const secretArn = /^arn:[\w-]+:secretsmanager:[\w-]+:\d{12}:secret:(.+?)(?:-[A-Za-z0-9]{6})?$/;

/** Of a name; undefined when it is no identity's. */
export function identityNamed(prefix: string, name: string): string | undefined {
  const identity = name.startsWith(prefix) ? name.slice(prefix.length) : '';
  return identityNamePattern.test(identity) ? identity : undefined;
}

/** For a sentence: of a name or an ARN; a secret that is no identity's is called by what it has in place of one. */
export function identityOf(prefix: string, secretId: string): string {
  const name = secretArn.exec(secretId)?.[1] ?? secretId;
  return name.startsWith(prefix) ? name.slice(prefix.length) : name;
}
