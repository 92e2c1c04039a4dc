// The rotation function's permissions, and the rotation schedules.
import { Aws } from 'aws-cdk-lib';
import { Policy, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { CfnPermission } from 'aws-cdk-lib/aws-lambda';
import { CfnRotationSchedule } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { variables } from '../core/settings.ts';
import type { EgressFunction } from './egress-function.ts';
import type { IdentityStore } from './identity-store.ts';
import { constructIds } from './identity-store.ts';
import { type RotationSetting, renewalsOf } from './rotation-settings.ts';

export interface RotationProps {
  /** Runs the four steps. */
  readonly rotate: EgressFunction;
  readonly identities: IdentityStore;
  /** Prefix of secret names. */
  readonly secretPrefix: string;
  readonly rotations: readonly RotationSetting[];
  /** ARNs of authorities of AWS Private CA. */
  readonly privateAuthorities: readonly string[];
}

/**
 * The template of client certificates and its passthrough variants (AWS Private CA user guide, "Template definitions").
 * EndEntityCertificate is not allowed: its certificates are valid for servers too.
 */
const clientTemplates = 'EndEntityClientAuthCertificate*';

export class Rotation extends Construct {
  constructor(scope: Construct, id: string, props: RotationProps) {
    super(scope, id);
    const { rotate, identities, rotations } = props;
    rotate.fn.addEnvironment(variables.secretPrefix, props.secretPrefix);
    const renewals = renewalsOf(rotations);
    if (Object.keys(renewals).length > 0) rotate.fn.addEnvironment(variables.renewals, JSON.stringify(renewals));

    const { policy } = new RotationPermissions(this, 'Permissions', props);
    // The permission names the account and the prefix: otherwise Secrets Manager could be made to call the function for
    // a secret of another account (Secrets Manager user guide, "Permissions for rotation"; Lambda compares SourceArn by
    // StringLike, Lambda API reference, AddPermission).
    const permission = new CfnPermission(this, 'BySecretsManager', {
      action: 'lambda:InvokeFunction',
      functionName: rotate.fn.functionArn,
      principal: 'secretsmanager.amazonaws.com',
      sourceAccount: Aws.ACCOUNT_ID,
      sourceArn: identities.secretsArn,
    });
    const ids = constructIds(rotations.map(({ identity }) => identity));
    for (const { identity, schedule, window } of rotations) {
      const made = new CfnRotationSchedule(this, `${ids.get(identity)}Schedule`, {
        secretId: identities.idOf(identity),
        rotationLambdaArn: rotate.fn.functionArn,
        rotationRules: { scheduleExpression: schedule, ...(window === undefined ? {} : { duration: window }) },
        // A deployment must not change what customers see, or fail because an authority is unavailable. Secrets Manager
        // runs only testSecret.
        rotateImmediatelyOnUpdate: false,
      });
      made.node.addDependency(permission, policy);
    }
  }
}

/**
 * Separate from the function's role: the policy names the function, and the function depends on its role. The condition
 * limits it to secrets that this function rotates. PutSecretValue has no condition on the stage (service authorization
 * reference of Secrets Manager), so a writer cannot be prevented from writing AWSCURRENT directly.
 */
class RotationPermissions extends Construct {
  readonly policy: Policy;

  constructor(scope: Construct, id: string, { rotate, identities, privateAuthorities }: RotationProps) {
    super(scope, id);
    const viaSecretsManager = {
      StringEquals: { 'kms:ViaService': `secretsmanager.${Aws.REGION}.${Aws.URL_SUFFIX}` },
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
          resources: identities.keyArns,
          conditions: viaSecretsManager,
        }),
      ],
    });
    if (privateAuthorities.length > 0) this.#grantIssue(privateAuthorities);
    identities.acknowledgePrefix(this.policy);
  }

  /** A document can contain any `templateArn`: the function must be able to issue client certificates only. */
  #grantIssue(privateAuthorities: readonly string[]): void {
    this.policy.addStatements(
      new PolicyStatement({
        sid: 'HaveLeavesIssued',
        actions: ['acm-pca:IssueCertificate'],
        resources: [...privateAuthorities],
        conditions: {
          ArnLike: { 'acm-pca:TemplateArn': `arn:${Aws.PARTITION}:acm-pca:*:*:template/${clientTemplates}/V*` },
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
