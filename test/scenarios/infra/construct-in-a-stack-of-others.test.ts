// The construct in an app of its user: props of CDK objects, members, grants, names, and the checks of cdk-nag.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, Duration, RemovalPolicy, Stack, Tags, Validations } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { CfnCertificateAuthority } from 'aws-cdk-lib/aws-acmpca';
import { InterfaceVpcEndpoint, IpAddresses, type IVpc, SubnetType, Vpc } from 'aws-cdk-lib/aws-ec2';
import { ManagedPolicy, PermissionsBoundary, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Topic } from 'aws-cdk-lib/aws-sns';
import flags from 'aws-cdk-lib/recommended-feature-flags.json' with { type: 'json' };
import { AwsSolutionsChecks } from 'cdk-nag';
import { afterAll, describe, expect, it } from 'vitest';
import { Countersign, type CountersignProps } from '../../../infra/index.ts';
import { templateFaults } from '../../support/infra/resource-schemas.ts';

const outdir = mkdtempSync(join(tmpdir(), 'countersign-embedded-'));
afterAll(() => rmSync(outdir, { recursive: true, force: true }));

let stacks = 0;
function newStack(): Stack {
  const app = new App({ outdir: join(outdir, String(++stacks)), context: flags });
  return new Stack(app, 'Bots', { env: { account: '111122223333', region: 'eu-central-1' } });
}

/** Throws what cdk-nag finds. */
function templateOf(stack: Stack): Template {
  Validations.of(stack).addPlugins(new AwsSolutionsChecks(stack));
  const template = Template.fromStack(stack);
  expect(templateFaults(template.toJSON() as Parameters<typeof templateFaults>[0])).toEqual([]);
  return template;
}

/** Without NAT gateway and without internet: flow logs and the like are the business of its owner. */
function newVpc(stack: Stack, id: string): IVpc {
  const vpc = new Vpc(stack, id, {
    ipAddresses: IpAddresses.cidr('10.0.0.0/16'),
    availabilityZones: ['eu-central-1a', 'eu-central-1b'],
    restrictDefaultSecurityGroup: false,
    subnetConfiguration: [{ name: 'inside', subnetType: SubnetType.PRIVATE_ISOLATED }],
  });
  Validations.of(vpc).acknowledge({ id: 'AwsSolutions::AwsSolutions-VPC7', reason: 'It is a network of the test.' });
  return vpc as IVpc;
}

const failure = (props: CountersignProps) => () => new Countersign(newStack(), 'Egress', props);

describe('the construct', () => {
  it('without props is a complete installation, named after its stack', () => {
    const stack = newStack();
    const egress = new Countersign(stack, 'Egress');
    const template = templateOf(stack);
    template.resourceCountIs('AWS::Lambda::Function', 6);
    template.hasResourceProperties('AWS::Events::EventBus', { Name: 'Bots' });
    template.hasResourceProperties('AWS::ApiGatewayV2::Api', { Name: 'Bots' });
    template.hasResource('AWS::SecretsManager::Secret', {
      DeletionPolicy: 'RetainExceptOnCreate',
      Properties: { Name: 'countersign/identities/platform' },
    });
    expect(stack.resolve(egress.api.url)).toEqual({ 'Fn::GetAtt': [expect.any(String), 'ApiEndpoint'] });
    expect([...egress.callerPolicies.keys()]).toEqual(['platform']);
  });

  it('takes every setting, and the network, topic, authority and secret as CDK objects', () => {
    const stack = newStack();
    const authority = new CfnCertificateAuthority(stack, 'Authority', {
      keyAlgorithm: 'EC_prime256v1',
      signingAlgorithm: 'SHA256WITHECDSA',
      type: 'SUBORDINATE',
      subject: { commonName: 'Bots' },
    });
    const certificateAuthorityArn = authority.attrArn;
    const theirKey = Key.fromKeyArn(
      stack,
      'TheirKey',
      'arn:aws:kms:eu-central-1:111122223333:key/12345678-1234-1234-1234-123456789012',
    );
    const existing = Secret.fromSecretAttributes(stack, 'Existing', {
      secretCompleteArn: 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:bots/platform-AbCdEf',
      encryptionKey: theirKey,
    });
    new Countersign(stack, 'Egress', {
      name: 'bots',
      secretPrefix: 'bots/',
      identityTtl: Duration.minutes(2),
      docsUrl: 'https://docs.example/egress',
      callers: ['platform', 'acme'],
      memoryMb: 1769,
      reservedConcurrency: 20,
      throttleRate: 10,
      throttleBurst: 20,
      logRetention: RetentionDays.ONE_MONTH,
      vpc: newVpc(stack, 'Network'),
      vpcSubnets: { subnetType: SubnetType.PRIVATE_ISOLATED },
      existingSecrets: { platform: existing },
      rotations: [
        { identity: 'platform', schedule: 'rate(30 days)' },
        {
          identity: 'acme',
          schedule: 'rate(30 days)',
          renewal: { issuer: { kind: 'aws-private-ca', certificateAuthorityArn } },
        },
      ],
      privateCas: [{ certificateAuthorityArn }],
      alarmTopic: Topic.fromTopicArn(stack, 'Night', 'arn:aws:sns:eu-central-1:111122223333:night'),
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const template = templateOf(stack);
    template.hasResourceProperties('AWS::Events::EventBus', { Name: 'bots' });
    template.hasResourceProperties('AWS::Lambda::Function', {
      MemorySize: 1769,
      ReservedConcurrentExecutions: 20,
      Environment: {
        Variables: {
          COUNTERSIGN_SECRET_PREFIX: 'bots/',
          COUNTERSIGN_IDENTITY_TTL_SECONDS: '120',
          COUNTERSIGN_DOCS_URL: 'https://docs.example/egress/',
        },
      },
      VpcConfig: {
        SubnetIds: [{ Ref: Match.stringLikeRegexp('^NetworkinsideSubnet1') }, { Ref: Match.anyValue() }],
        SecurityGroupIds: [{ 'Fn::GetAtt': [Match.stringLikeRegexp('^EgressSecurityGroup'), 'GroupId'] }],
      },
    });
    // The existing secret is rotated, not made; its key can be used.
    template.resourceCountIs('AWS::SecretsManager::Secret', 1);
    template.hasResource('AWS::SecretsManager::Secret', {
      DeletionPolicy: 'Delete',
      Properties: { Name: 'bots/acme' },
    });
    template.hasResourceProperties('AWS::SecretsManager::RotationSchedule', { SecretId: existing.secretArn });
    const decrypt = Match.objectLike({ Action: 'kms:Decrypt', Resource: Match.arrayWith([theirKey.keyArn]) });
    template.hasResourceProperties('AWS::IAM::Policy', {
      PolicyDocument: { Statement: Match.arrayWith([decrypt]) },
    });
    template.hasResourceProperties('AWS::IAM::Policy', {
      PolicyDocument: {
        Statement: Match.arrayWith([
          Match.objectLike({ Action: 'acm-pca:IssueCertificate', Resource: stack.resolve(certificateAuthorityArn) }),
        ]),
      },
    });
    template.hasResource('AWS::KMS::Key', { DeletionPolicy: 'Delete' });
    template.allResources('AWS::Logs::LogGroup', { DeletionPolicy: 'Delete' });
    template.allResourcesProperties('AWS::Logs::LogGroup', { RetentionInDays: 30 });
    template.allResourcesProperties('AWS::CloudWatch::Alarm', {
      AlarmName: Match.stringLikeRegexp('^bots-'),
      AlarmActions: ['arn:aws:sns:eu-central-1:111122223333:night'],
    });
  });

  it('replicates its secrets with the key of the other region, where an installation adopts them', () => {
    const keyArn = 'arn:aws:kms:eu-west-1:111122223333:key/12345678-1234-1234-1234-123456789012';
    const primary = newStack();
    new Countersign(primary, 'Egress', { replicas: [{ region: 'eu-west-1', keyArn }] });
    templateOf(primary).hasResourceProperties('AWS::SecretsManager::Secret', {
      ReplicaRegions: [{ Region: 'eu-west-1', KmsKeyId: keyArn }],
    });
    const secondary = newStack();
    const replica = Secret.fromSecretNameV2(secondary, 'Replica', 'countersign/identities/platform');
    new Countersign(secondary, 'Egress', { existingSecrets: { platform: replica } });
    templateOf(secondary).resourceCountIs('AWS::SecretsManager::Secret', 0);
  });

  it('lets a role use one identity', () => {
    const stack = newStack();
    const egress = new Countersign(stack, 'Egress', { api: 'rest' });
    const role = new Role(stack, 'Orchestrator', { assumedBy: new ServicePrincipal('ecs-tasks.amazonaws.com') });
    egress.grantInvoke(role, 'acme');
    const [statement] = Object.values(templateOf(stack).findResources('AWS::IAM::Policy'))
      .filter(({ Properties }) => JSON.stringify(Properties.Roles).includes('Orchestrator'))
      .flatMap(({ Properties }) => Properties.PolicyDocument.Statement);
    expect(statement).toMatchObject({ Action: 'execute-api:Invoke', Effect: 'Allow' });
    const paths = (statement.Resource as { 'Fn::Join': [string, unknown[]] }[]).map((arn) => arn['Fn::Join'][1].at(-1));
    expect(paths.sort()).toEqual([
      '/live/GET/v1/health',
      '/live/GET/v1/identities/acme/certificate',
      '/live/POST/v1/identities/acme/diagnoses',
      '/live/POST/v1/identities/acme/invocations',
    ]);
    expect(() => egress.grantInvoke(role, '*')).toThrow('* must be the name of an identity');
  });

  it('knows the secret of each identity', () => {
    const stack = newStack();
    const egress = new Countersign(stack, 'Egress', { rotations: [{ identity: 'acme', schedule: 'rate(30 days)' }] });
    const made = egress.identity('acme');
    expect(made).toMatchObject({ name: 'acme', secretName: 'countersign/identities/acme' });
    expect(stack.resolve(made.secretArn)).toEqual({ Ref: expect.stringMatching(/^EgressIdentitiesAcme/) });
    const later = egress.identity('globex');
    expect(stack.resolve(later.secretArn)).toMatch(
      /:secretsmanager:eu-central-1:111122223333:secret:countersign\/identities\/globex$/,
    );
    const role = new Role(stack, 'Importer', { assumedBy: new ServicePrincipal('codebuild.amazonaws.com') });
    egress.identity('acme').secret.grantWrite(role);
    templateOf(stack).hasResourceProperties('AWS::IAM::Policy', {
      PolicyDocument: {
        Statement: Match.arrayWith([Match.objectLike({ Resource: { Ref: Match.stringLikeRegexp('Acme') } })]),
      },
    });
    expect(() => egress.identity('Acme')).toThrow('Acme must be the name of an identity');
  });

  it('takes the tags and the permission boundary of its stack', () => {
    const stack = newStack();
    const egress = new Countersign(stack, 'Egress', { api: 'rest' });
    Tags.of(egress).add('team', 'bots');
    const boundary = 'arn:aws:iam::111122223333:policy/workload-boundary';
    PermissionsBoundary.of(stack).apply(ManagedPolicy.fromManagedPolicyArn(stack, 'Boundary', boundary));
    const template = templateOf(stack);
    template.allResourcesProperties('AWS::IAM::Role', { PermissionsBoundary: boundary });
    const tagged = { Tags: Match.arrayWith([{ Key: 'team', Value: 'bots' }]) };
    for (const type of ['KMS::Key', 'SecretsManager::Secret', 'Lambda::Function', 'Logs::LogGroup', 'SQS::Queue']) {
      template.allResourcesProperties(`AWS::${type}`, tagged);
    }
    template.hasResourceProperties('AWS::ApiGateway::RestApi', tagged);
    template.hasResourceProperties('AWS::Events::EventBus', tagged);
  });

  it('has metrics of the API and of the calls', () => {
    const stack = newStack();
    const http = new Countersign(stack, 'Egress');
    const rest = new Countersign(stack, 'Rest', { name: 'rest', secretPrefix: 'rest/', api: 'rest' });
    expect(http.api.metricServerError()).toMatchObject({ metricName: '5xx', statistic: 'Sum' });
    expect(Object.keys(http.api.metricCount().dimensions ?? {})).toEqual(['ApiId', 'Stage']);
    expect(rest.api.metricClientError()).toMatchObject({
      metricName: '4XXError',
      dimensions: { ApiName: 'rest', Stage: 'live' },
    });
    expect(rest.api.metricLatency().namespace).toBe('AWS/ApiGateway');
    const failures = http.metricFailures({ dimensionsMap: { code: 'identity-unusable' } });
    expect(failures).toMatchObject({ namespace: 'Countersign', metricName: 'Failures', statistic: 'Sum' });
    expect(http.metricDaysToExpiry()).toMatchObject({ metricName: 'DaysToExpiry', statistic: 'Minimum' });
    templateOf(stack);
  });

  it('makes a private API with an endpoint for a VPC without internet', () => {
    const stack = newStack();
    const vpc = newVpc(stack, 'Orchestrators');
    const egress = new Countersign(stack, 'Egress', { api: 'private', privateAccess: { vpc } });
    const template = templateOf(stack);
    template.hasResourceProperties('AWS::EC2::VPCEndpoint', {
      VpcEndpointType: 'Interface',
      ServiceName: Match.stringLikeRegexp('execute-api$'),
      PrivateDnsEnabled: false,
      PolicyDocument: {
        Statement: [
          Match.objectLike({
            Action: 'execute-api:Invoke',
            Condition: { StringEquals: { 'aws:PrincipalAccount': { Ref: 'AWS::AccountId' } } },
          }),
        ],
      },
    });
    template.hasResourceProperties('AWS::EC2::SecurityGroup', {
      SecurityGroupIngress: [Match.objectLike({ FromPort: 443, ToPort: 443 })],
    });
    expect(JSON.stringify(stack.resolve(egress.api.url))).toMatch(/"-",\{"Ref":"EgressPrivateEndpoint/);
    // The functions need the internet, so they are not in that VPC.
    for (const fn of Object.values(template.findResources('AWS::Lambda::Function'))) {
      expect(fn.Properties).not.toHaveProperty('VpcConfig');
    }
  });
});

describe('props that cannot be deployed are refused', () => {
  const rotation = { identity: 'acme', schedule: 'rate(30 days)' };
  it.each<[CountersignProps, string]>([
    [{ name: 'no spaces' }, 'name must be a letter'],
    [{ name: 'default' }, 'name must not be default'],
    [{ secretPrefix: 'all/*' }, 'secretPrefix may hold'],
    [{ identityTtl: Duration.seconds(0) }, 'identityTtlSeconds must be'],
    [{ docsUrl: 'docs' }, 'docsUrl must be'],
    [{ callers: ['*'] }, 'callers must be'],
    [{ memoryMb: 64 }, 'memoryMb must be'],
    [{ logRetention: RetentionDays.INFINITE }, 'logRetentionDays must be'],
    [{ rotations: [{ ...rotation, schedule: 'daily' }] }, 'rotations: schedule or window of acme'],
    [
      { rotations: [{ ...rotation, renewal: { issuer: { kind: 'est', password: 'swordfish' } } }] },
      'rotations: password of acme would be readable',
    ],
    [{ privateCas: [{ certificateAuthorityArn: 'acme' }] }, 'privateCas must be'],
    [{ api: 'private' }, 'needs privateAccess with either vpcEndpoints or vpc'],
    [{ api: 'private', privateAccess: {} }, 'needs privateAccess with either vpcEndpoints or vpc'],
    [{ privateAccess: {} }, 'privateAccess is for api: private only'],
    [{ securityGroups: [] }, 'vpcSubnets must be subnets'],
    [{ vpcSubnets: { subnets: [] } }, 'securityGroups must be given'],
  ])('%j', (props, sentence) => {
    expect(failure(props)).toThrow(sentence);
    expect(failure(props)).not.toThrow('swordfish');
  });

  it('both the endpoints and the VPC of a private API', () => {
    const stack = newStack();
    const vpc = newVpc(stack, 'Vpc');
    const endpoint = InterfaceVpcEndpoint.fromInterfaceVpcEndpointAttributes(stack, 'Endpoint', {
      vpcEndpointId: 'vpce-0a1b2c3d',
      port: 443,
    });
    const privateAccess = { vpc, vpcEndpoints: [endpoint] };
    expect(() => new Countersign(stack, 'Egress', { api: 'private', privateAccess })).toThrow('either');
  });

  it('an existing secret with the name of another identity', () => {
    const stack = newStack();
    const secret = Secret.fromSecretNameV2(stack, 'Secret', 'countersign/identities/globex');
    expect(() => new Countersign(stack, 'Egress', { existingSecrets: { acme: secret } })).toThrow(
      'the secret of acme must have the name countersign/identities/acme',
    );
  });

  it('the name or the prefix of another installation in the stack', () => {
    const stack = newStack();
    new Countersign(stack, 'Egress');
    expect(() => new Countersign(stack, 'Second')).toThrow('name must differ from that of Bots/Egress');
    expect(() => new Countersign(stack, 'Third', { name: 'third' })).toThrow('secretPrefix must differ');
  });
});
