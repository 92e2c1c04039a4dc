// Where the identities are: the platform's secret, and the one call that lets a function read identities.
import { Aws, RemovalPolicy, Validations } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { CfnSecret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { platformIdentity, variables } from '../functions/config.ts';
import type { EgressFunction } from './egress-function.ts';

/** Staging labels that Secrets Manager moves by itself (user guide, "Secret versions"). */
export type Stage = 'AWSCURRENT' | 'AWSPENDING' | 'AWSPREVIOUS';

export interface IdentityStoreProps {
  /** Encrypts the secrets. */
  readonly key: IKey;
  /** Goes before an identity's name to make a secret's name. */
  readonly secretPrefix: string;
  /** After that a function reads an identity again. */
  readonly identityTtlSeconds: number;
}

export class IdentityStore extends Construct {
  /** The secret of the identity `platform`; empty until the operator puts an identity document into it. */
  readonly platformSecret: CfnSecret;
  readonly #props: IdentityStoreProps;

  constructor(scope: Construct, id: string, props: IdentityStoreProps) {
    super(scope, id);
    this.#props = props;
    // Without SecretString and GenerateSecretString the secret has no version at all: until there is an identity the
    // answer is identity-not-found. The construct `Secret` would put a random password in.
    this.platformSecret = new CfnSecret(this, 'Platform', {
      name: `${props.secretPrefix}${platformIdentity}`,
      description: 'Identity document of Countersign (docs/identities.md): what the platform presents to customers',
      kmsKeyId: props.key.keyArn,
    });
    // A private key that customers trust is not thrown away with a stack; only a failed first deployment takes it back.
    this.platformSecret.applyRemovalPolicy(RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE);
    Validations.of(this.platformSecret).acknowledge({
      id: 'AwsSolutions::AwsSolutions-SMG4',
      reason: 'The key of a certificate is renewed with its issuer and the customers, as the identity document says.',
    });
  }

  /** Lets the function read these stages of every identity under the prefix, and tells it where they are. */
  grantRead(reader: EgressFunction, stages: readonly Stage[]): void {
    const { key, secretPrefix, identityTtlSeconds } = this.#props;
    const secrets = `arn:${Aws.PARTITION}:secretsmanager:${Aws.REGION}:${Aws.ACCOUNT_ID}:secret:${secretPrefix}*`;
    reader.role.addToPolicy(
      new PolicyStatement({
        sid: 'ReadIdentities',
        actions: ['secretsmanager:GetSecretValue'],
        resources: [secrets],
        // With the set operator that the user guide asks for ("Limiting access to secrets with specific staging labels").
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
          StringEquals: { 'kms:ViaService': `secretsmanager.${Aws.REGION}.amazonaws.com` },
          StringLike: { 'kms:EncryptionContext:SecretARN': secrets },
        },
      }),
    );
    reader.fn.addEnvironment(variables.secretPrefix, secretPrefix);
    reader.fn.addEnvironment(variables.identityTtlSeconds, String(identityTtlSeconds));
    Validations.of(reader.role).acknowledge({
      id: `AwsSolutions::AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>:secret:${secretPrefix}*]`,
      reason: 'Identities are added without a deployment; a secret under the prefix is an identity and nothing else.',
    });
  }
}
