// How an identity's name becomes part of a logical id: those of CloudFormation are letters and digits.

/** `acme-bank` is AcmeBank. */
export function pascalCase(name: string): string {
  return name.replace(/(?:^|-)([a-z0-9]?)/g, (_, first: string) => first.toUpperCase());
}
