// The rotation function: what Secrets Manager may call it for, what it alone may do, and when each identity is rotated.
import { Aws } from 'aws-cdk-lib';
import { Policy, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { CfnPermission } from 'aws-cdk-lib/aws-lambda';
import { CfnRotationSchedule } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { variables } from '../core/settings.ts';
import type { EgressFunction } from './egress-function.ts';
import type { IdentityStore } from './identity-store.ts';
import { pascalCase, type RotationSetting, renewalsOf } from './settings.ts';

export interface RotationProps {
  /** Runs the four steps. */
  readonly rotate: EgressFunction;
  readonly identities: IdentityStore;
  /** Encrypts the secrets. */
  readonly key: IKey;
  /** What the function needs beside this construct's own grants, before the first rotation. */
  readonly secretPrefix: string;
  readonly rotations: readonly RotationSetting[];
  /** ARNs of authorities of AWS Private CA. */
  readonly privateAuthorities: readonly string[];
}

/** Of leaves (AWS Private CA user guide, "Template definitions"); their variants with CSR and API passthrough begin so as well. */
const leafTemplates = ['EndEntityCertificate', 'EndEntityClientAuthCertificate'];

export class Rotation extends Construct {
  constructor(scope: Construct, id: string, props: RotationProps) {
    super(scope, id);
    const { rotate, identities, rotations } = props;
    rotate.fn.addEnvironment(variables.secretPrefix, props.secretPrefix);
    const renewals = renewalsOf(rotations);
    if (Object.keys(renewals).length > 0) rotate.fn.addEnvironment(variables.renewals, JSON.stringify(renewals));

    const { policy } = new RotationPermissions(this, 'Permissions', props);
    // A policy of the function with the account, and the secrets under the prefix: without them, Secrets Manager could be made
    // to call it for somebody else's secret (Secrets Manager user guide, "Permissions for rotation"; Lambda compares
    // SourceArn by StringLike, Lambda API reference, AddPermission).
    const permission = new CfnPermission(this, 'BySecretsManager', {
      action: 'lambda:InvokeFunction',
      functionName: rotate.fn.functionArn,
      principal: 'secretsmanager.amazonaws.com',
      sourceAccount: Aws.ACCOUNT_ID,
      sourceArn: identities.secretsArn,
    });
    for (const { identity, schedule, window } of rotations) {
      const made = new CfnRotationSchedule(this, `${pascalCase(identity)}Schedule`, {
        secretId: identities.secretOf(identity).ref,
        rotationLambdaArn: rotate.fn.functionArn,
        rotationRules: { scheduleExpression: schedule, ...(window === undefined ? {} : { duration: window }) },
        // A deployment issues no certificate: one that changes a schedule must not change what customers see, and must not fail
        // because an authority is away. Secrets Manager runs testSecret alone.
        rotateImmediatelyOnUpdate: false,
      });
      made.node.addDependency(permission, policy);
    }
  }
}

/**
 * Apart from the function's role, on which the function itself waits: this one names the function. The condition keeps it to
 * secrets whose rotation function it is: PutSecretValue knows no condition on the stage (service authorization reference of
 * Secrets Manager), so that writing AWSCURRENT at once can be forbidden to nobody who may write.
 */
class RotationPermissions extends Construct {
  readonly policy: Policy;

  constructor(scope: Construct, id: string, { rotate, identities, key, privateAuthorities }: RotationProps) {
    super(scope, id);
    const viaSecretsManager = {
      StringEquals: { 'kms:ViaService': `secretsmanager.${Aws.REGION}.amazonaws.com` },
      StringLike: { 'kms:EncryptionContext:SecretARN': identities.secretsArn },
    };
    this.policy = new Policy(this, 'Policy', {
      roles: [rotate.role],
      statements: [
        new PolicyStatement({
          sid: 'RotateIdentities',
          actions: [
            'secretsmanager:DescribeSecret',
            'secretsmanager:GetSecretValue',
            'secretsmanager:PutSecretValue',
            'secretsmanager:UpdateSecretVersionStage',
          ],
          resources: [identities.secretsArn],
          conditions: { StringEquals: { 'secretsmanager:resource/AllowRotationLambdaArn': rotate.fn.functionArn } },
        }),
        new PolicyStatement({
          sid: 'EncryptIdentities',
          actions: ['kms:Decrypt', 'kms:GenerateDataKey'],
          resources: [key.keyArn],
          conditions: viaSecretsManager,
        }),
      ],
    });
    if (privateAuthorities.length > 0) this.#grantIssue(privateAuthorities);
    identities.acknowledgePrefix(this.policy);
  }

  /** Whoever can write an identity document can write a `templateArn` into it: it must not make an authority. */
  #grantIssue(privateAuthorities: readonly string[]): void {
    this.policy.addStatements(
      new PolicyStatement({
        sid: 'HaveLeavesIssued',
        actions: ['acm-pca:IssueCertificate'],
        resources: [...privateAuthorities],
        conditions: {
          ArnLike: {
            'acm-pca:TemplateArn': leafTemplates.map((name) => `arn:${Aws.PARTITION}:acm-pca:*:*:template/${name}*/V*`),
          },
        },
      }),
      new PolicyStatement({
        sid: 'FetchWhatWasIssued',
        actions: ['acm-pca:DescribeCertificateAuthority', 'acm-pca:GetCertificate'],
        resources: [...privateAuthorities],
      }),
    );
  }
}
