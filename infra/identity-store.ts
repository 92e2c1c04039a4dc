// The secrets of identities, and the permission of functions to read them.
import { createHash } from 'node:crypto';
import { Aws, RemovalPolicy, Validations } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { CfnSecret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct, type IConstruct } from 'constructs';
import { platformIdentity, variables } from '../core/settings.ts';
import type { EgressFunction } from './egress-function.ts';

/**
 * An id for each name, in the given order: `acme-bank` is `AcmeBank`. Names that differ only in hyphens would have the
 * same id, and logical ids have no hyphens: all but the first of them get a hash of the name as well.
 */
export function constructIds(names: Iterable<string>): ReadonlyMap<string, string> {
  const ids = new Map<string, string>();
  const taken = new Set<string>();
  for (const name of new Set(names)) {
    const plain = pascalCase(name);
    const hash = createHash('sha256').update(name).digest('hex');
    const id = ['', hash.slice(0, 8)].map((end) => plain + end).find((one) => !taken.has(one)) ?? plain + hash;
    ids.set(name, id);
    taken.add(id);
  }
  return ids;
}

function pascalCase(name: string): string {
  return name.replace(/(?:^|-)([a-z0-9]?)/g, (_, first: string) => first.toUpperCase());
}

/** Staging labels that Secrets Manager manages (user guide, "Secret versions"). */
export type Stage = 'AWSCURRENT' | 'AWSPENDING' | 'AWSPREVIOUS';

export interface IdentityStoreProps {
  /** Encrypts the secrets. */
  readonly key: IKey;
  /** Secret name = prefix + identity name. */
  readonly secretPrefix: string;
  /** Seconds after which a function reads an identity again. */
  readonly identityTtlSeconds: number;
  /** Identities that have a schedule of rotation, and a secret of the stack for it. */
  readonly rotated: readonly string[];
}

export class IdentityStore extends Construct {
  /** The secret of the identity `platform`; empty until there is an identity document in it. */
  readonly platformSecret: CfnSecret;
  readonly #secrets = new Map<string, CfnSecret>();
  readonly #props: IdentityStoreProps;

  constructor(scope: Construct, id: string, props: IdentityStoreProps) {
    super(scope, id);
    this.#props = props;
    for (const [identity, id] of constructIds([platformIdentity, ...props.rotated])) {
      this.#secrets.set(identity, this.#makeSecret(identity, id));
    }
    this.platformSecret = this.secretOf(platformIdentity);
  }

  /** Of `platform` and of the identities that are rotated. */
  secretOf(identity: string): CfnSecret {
    const secret = this.#secrets.get(identity);
    if (secret === undefined) throw new Error(`The stack makes no secret for the identity ${identity}.`);
    return secret;
  }

  /** For policies: every secret under the prefix. */
  get secretsArn(): string {
    const secrets = `secret:${this.#props.secretPrefix}*`;
    return `arn:${Aws.PARTITION}:secretsmanager:${Aws.REGION}:${Aws.ACCOUNT_ID}:${secrets}`;
  }

  // Without SecretString and GenerateSecretString the secret has no version at all: until there is an identity the
  // answer is identity-not-found. The construct `Secret` would put a random password in.
  #makeSecret(identity: string, id: string): CfnSecret {
    const { key, secretPrefix, rotated } = this.#props;
    const secret = new CfnSecret(this, id, {
      name: `${secretPrefix}${identity}`,
      description:
        identity === platformIdentity
          ? 'Identity document of Countersign (docs/identities.md): what the platform presents to customers'
          : `Identity document of Countersign (docs/identities.md): what is presented to customers as ${identity}`,
      kmsKeyId: key.keyArn,
    });
    // A private key that customers trust outlives the stack; only a failed first deployment removes the secret.
    secret.applyRemovalPolicy(RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE);
    if (!rotated.includes(identity)) {
      Validations.of(secret).acknowledge({
        id: 'AwsSolutions::AwsSolutions-SMG4',
        reason:
          'It is renewed by hand unless countersign:rotations names it; an hourly inspection reports its days to expiry.',
      });
    }
    return secret;
  }

  /** Lets the function read these stages of every identity under the prefix, and tells it where they are. */
  grantRead(reader: EgressFunction, stages: readonly Stage[]): void {
    const { key, secretPrefix, identityTtlSeconds } = this.#props;
    const secrets = this.secretsArn;
    reader.role.addToPolicy(
      new PolicyStatement({
        sid: 'ReadIdentities',
        actions: ['secretsmanager:GetSecretValue'],
        resources: [secrets],
        // With the set operator that the user guide asks for ("Limiting access to secrets with specific staging
        // labels").
        conditions: { 'ForAnyValue:StringEquals': { 'secretsmanager:VersionStage': stages } },
      }),
    );
    // The encryption context is what Secrets Manager gives KMS (user guide, "Secret encryption and decryption").
    reader.role.addToPolicy(
      new PolicyStatement({
        sid: 'DecryptIdentities',
        actions: ['kms:Decrypt'],
        resources: [key.keyArn],
        conditions: {
          StringEquals: { 'kms:ViaService': `secretsmanager.${Aws.REGION}.${Aws.URL_SUFFIX}` },
          StringLike: { 'kms:EncryptionContext:SecretARN': secrets },
        },
      }),
    );
    reader.fn.addEnvironment(variables.secretPrefix, secretPrefix);
    reader.fn.addEnvironment(variables.identityTtlSeconds, String(identityTtlSeconds));
    this.acknowledgePrefix(reader.role);
  }

  /** The one wildcard of the stack's policies, by its full text, so that another one is a new finding. */
  acknowledgePrefix(holder: IConstruct): void {
    Validations.of(holder).acknowledge({
      id: `AwsSolutions::AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>:secret:${this.#props.secretPrefix}*]`,
      reason: 'Identities are added without a deployment; a secret under the prefix is an identity and nothing else.',
    });
  }
}
