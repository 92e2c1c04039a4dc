// The secrets of identities, and the permission of functions to read them.
import { createHash } from 'node:crypto';
import { Aws, type RemovalPolicy, Token, Validations } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { CfnSecret, type ISecret, Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct, type IConstruct } from 'constructs';
import { identityNamePattern, platformIdentity, variables } from '../core/settings.ts';
import type { EgressFunction } from './egress-function.ts';
import type { Replica } from './props.ts';

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
  /** Secrets that are not made, by identity. */
  readonly existing: Readonly<Record<string, ISecret>>;
  /** Of the secrets that are made. */
  readonly replicas: readonly Replica[];
  /** Of the secrets that are made. */
  readonly removalPolicy: RemovalPolicy;
}

export class IdentityStore extends Construct {
  readonly #made = new Map<string, CfnSecret>();
  readonly #secrets = new Map<string, ISecret>();
  readonly #props: IdentityStoreProps;

  constructor(scope: Construct, id: string, props: IdentityStoreProps) {
    super(scope, id);
    this.#props = props;
    for (const [identity, secret] of Object.entries(props.existing)) {
      checkExisting(identity, secret, props.secretPrefix);
      this.#secrets.set(identity, secret);
    }
    for (const [identity, id] of constructIds([platformIdentity, ...props.rotated])) {
      if (!this.#secrets.has(identity)) this.#made.set(identity, this.#makeSecret(identity, id));
    }
  }

  nameOf(identity: string): string {
    return `${this.#props.secretPrefix}${identity}`;
  }

  /** ARN of a secret that is made or exists. */
  arnOf(identity: string): string {
    return this.#made.get(identity)?.ref ?? this.secretOf(identity).secretArn;
  }

  /**
   * For Secrets Manager: the complete ARN if it is known, else the name. An ARN without its suffix is misread for a
   * name that ends in a hyphen and six characters (Secrets Manager API reference, DescribeSecret).
   */
  idOf(identity: string): string {
    const secret = this.secretOf(identity);
    return this.#made.get(identity)?.ref ?? secret.secretFullArn ?? this.nameOf(identity);
  }

  /** Of any identity: a secret that is neither made nor given is found by its name. */
  secretOf(identity: string): ISecret {
    const known = this.#secrets.get(identity);
    if (known !== undefined) return known;
    const made = this.#made.get(identity);
    const id = `Secret-${identity}`;
    const secret =
      made === undefined
        ? Secret.fromSecretNameV2(this, id, this.nameOf(identity))
        : Secret.fromSecretAttributes(this, id, { secretCompleteArn: made.ref, encryptionKey: this.#props.key });
    this.#secrets.set(identity, secret);
    return secret;
  }

  /** Keys that encrypt identities: that of the stack, and those of the existing secrets. */
  get keyArns(): string[] {
    const keys = Object.values(this.#props.existing).map(({ encryptionKey }) => encryptionKey?.keyArn);
    const others = keys.filter((arn) => arn !== undefined && arn !== this.#props.key.keyArn) as string[];
    return [...new Set([this.#props.key.keyArn, ...others])];
  }

  /** For policies: every secret under the prefix. */
  get secretsArn(): string {
    const secrets = `secret:${this.#props.secretPrefix}*`;
    return `arn:${Aws.PARTITION}:secretsmanager:${Aws.REGION}:${Aws.ACCOUNT_ID}:${secrets}`;
  }

  // Without SecretString and GenerateSecretString the secret has no version at all: until there is an identity the
  // answer is identity-not-found. The construct `Secret` would put a random password in.
  #makeSecret(identity: string, id: string): CfnSecret {
    const { key, rotated, replicas, removalPolicy } = this.#props;
    const secret = new CfnSecret(this, id, {
      name: this.nameOf(identity),
      description:
        identity === platformIdentity
          ? 'Identity document of Countersign (docs/identities.md): what the platform presents to customers'
          : `Identity document of Countersign (docs/identities.md): what is presented to customers as ${identity}`,
      kmsKeyId: key.keyArn,
      ...(replicas.length > 0
        ? { replicaRegions: replicas.map(({ region, keyArn }) => ({ region, kmsKeyId: keyArn })) }
        : {}),
    });
    // By default a private key that customers trust outlives the stack; only a failed first deployment removes it.
    secret.applyRemovalPolicy(removalPolicy);
    if (!rotated.includes(identity)) {
      Validations.of(secret).acknowledge({
        id: 'AwsSolutions::AwsSolutions-SMG4',
        reason: 'It is renewed by hand unless the rotations name it; an hourly inspection reports its days to expiry.',
      });
    }
    return secret;
  }

  /** Lets the function read these stages of every identity under the prefix, and tells it where they are. */
  grantRead(reader: EgressFunction, stages: readonly Stage[]): void {
    const { secretPrefix, identityTtlSeconds } = this.#props;
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
        resources: this.keyArns,
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

/** The functions find an identity by the name of its secret. A name that is a token cannot be checked. */
function checkExisting(identity: string, { secretName }: ISecret, prefix: string): void {
  if (!identityNamePattern.test(identity)) {
    throw new Error(`existingSecrets: ${identity} must be the name of an identity.`);
  }
  if (!Token.isUnresolved(secretName) && secretName !== `${prefix}${identity}`) {
    throw new Error(`existingSecrets: the secret of ${identity} must have the name ${prefix}${identity}.`);
  }
}
