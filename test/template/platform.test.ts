import { isCardNumber } from '../../lambdas/base/runtime/card-digits';
import { type ExistingNetwork, type Stage, stageNamed } from '../../lib/stages';
import { referencesIn } from './references';
import { countsOf, nameOf, ofType, stages, synthesize, synthesizedStage } from './synthesized';

/** What changes with the code of functions, and says nothing about the template. */
function withoutHashes(templates: unknown): any {
  return JSON.parse(
    JSON.stringify(templates)
      .replace(/\b[0-9a-f]{64}\b/g, 'HASH')
      .replace(/(Deployment[0-9A-F]{8})[0-9a-f]{32}/g, '$1HASH'),
  );
}

test('the whole app of prod is as it was', () => {
  expect(withoutHashes(synthesizedStage('prod').templates)).toMatchSnapshot();
});

describe('what the stacks hold', () => {
  test('prod holds what it is made of, and nothing else', () => {
    expect(countsOf(synthesizedStage('prod'))).toEqual({
      Network: {
        'AWS::EC2::FlowLog': 1,
        'AWS::EC2::RouteTable': 3,
        'AWS::EC2::SecurityGroup': 2,
        'AWS::EC2::SecurityGroupIngress': 1,
        'AWS::EC2::Subnet': 3,
        'AWS::EC2::SubnetRouteTableAssociation': 3,
        'AWS::EC2::VPC': 1,
        'AWS::EC2::VPCEndpoint': 5,
        'AWS::IAM::Policy': 1,
        'AWS::IAM::Role': 1,
        'AWS::KMS::Key': 1,
        'AWS::Logs::LogGroup': 1,
      },
      TokenVault: {
        'AWS::DynamoDB::GlobalTable': 1,
        'AWS::IAM::Policy': 3,
        'AWS::IAM::Role': 3,
        'AWS::KMS::Key': 3,
        'AWS::Lambda::Function': 3,
        'AWS::Logs::LogGroup': 3,
        'Custom::Keyset': 1,
      },
      Cardholder: {
        'AWS::ApiGateway::Account': 1,
        'AWS::ApiGateway::Deployment': 1,
        'AWS::ApiGateway::GatewayResponse': 4,
        'AWS::ApiGateway::Method': 2,
        'AWS::ApiGateway::Resource': 2,
        'AWS::ApiGateway::RestApi': 1,
        'AWS::ApiGateway::Stage': 1,
        'AWS::IAM::Policy': 2,
        'AWS::IAM::Role': 3,
        'AWS::KMS::Key': 1,
        'AWS::Kinesis::Stream': 1,
        'AWS::Lambda::Function': 2,
        'AWS::Lambda::Permission': 2,
        'AWS::Logs::LogGroup': 3,
      },
      Cdc: {
        'AWS::DMS::Endpoint': 4,
        'AWS::DMS::ReplicationConfig': 2,
        'AWS::DMS::ReplicationSubnetGroup': 1,
        'AWS::DynamoDB::GlobalTable': 1,
        'AWS::EC2::SecurityGroup': 1,
        'AWS::EC2::SecurityGroupEgress': 3,
        'AWS::IAM::Policy': 8,
        'AWS::IAM::Role': 10,
        'AWS::KMS::Key': 1,
        'AWS::Kinesis::Stream': 1,
        'AWS::Lambda::Function': 3,
        'AWS::Logs::LogGroup': 3,
        'AWS::Scheduler::Schedule': 2,
        'Custom::ReplicationQuiesced': 2,
        'Custom::ReplicationRunning': 2,
        'Custom::SourceDatabase': 2,
      },
      Refine: {
        'AWS::DynamoDB::GlobalTable': 1,
        'AWS::IAM::Policy': 3,
        'AWS::IAM::Role': 3,
        'AWS::KMS::Key': 1,
        'AWS::Kinesis::Stream': 1,
        'AWS::Lambda::EventSourceMapping': 1,
        'AWS::Lambda::Function': 2,
        'AWS::Logs::LogGroup': 2,
        'AWS::S3::Bucket': 1,
        'AWS::S3::BucketPolicy': 1,
        'AWS::Scheduler::Schedule': 1,
      },
      Badges: {
        'AWS::ApiGateway::Deployment': 1,
        'AWS::ApiGateway::GatewayResponse': 3,
        'AWS::ApiGateway::Method': 1,
        'AWS::ApiGateway::Resource': 1,
        'AWS::ApiGateway::RestApi': 1,
        'AWS::ApiGateway::Stage': 1,
        'AWS::DynamoDB::GlobalTable': 2,
        'AWS::Glue::Table': 2,
        'AWS::IAM::Policy': 5,
        'AWS::IAM::Role': 5,
        'AWS::KMS::Key': 1,
        'AWS::KinesisFirehose::DeliveryStream': 1,
        'AWS::Lambda::EventSourceMapping': 1,
        'AWS::Lambda::Function': 3,
        'AWS::Lambda::Permission': 1,
        'AWS::Logs::LogGroup': 5,
        'AWS::Logs::LogStream': 1,
        'AWS::S3::Bucket': 1,
        'AWS::S3::BucketPolicy': 1,
        'AWS::Scheduler::Schedule': 1,
      },
      Merchandising: {
        'AWS::ApiGateway::Deployment': 1,
        'AWS::ApiGateway::GatewayResponse': 3,
        'AWS::ApiGateway::Method': 5,
        'AWS::ApiGateway::Resource': 6,
        'AWS::ApiGateway::RestApi': 1,
        'AWS::ApiGateway::Stage': 1,
        'AWS::EC2::SecurityGroup': 2,
        'AWS::EC2::SecurityGroupEgress': 1,
        'AWS::EC2::SecurityGroupIngress': 1,
        'AWS::IAM::Policy': 5,
        'AWS::IAM::Role': 5,
        'AWS::KMS::Key': 1,
        'AWS::Kinesis::StreamConsumer': 1,
        'AWS::Lambda::EventSourceMapping': 1,
        'AWS::Lambda::Function': 4,
        'AWS::Lambda::Permission': 5,
        'AWS::Logs::LogGroup': 5,
        'AWS::S3::Bucket': 1,
        'AWS::S3::BucketPolicy': 1,
        'AWS::Scheduler::Schedule': 1,
        'AWS::SecretsManager::Secret': 3,
        'AWS::Timestream::InfluxDBInstance': 1,
        'Custom::InfluxDbTokens': 1,
      },
      Lake: {
        'AWS::Athena::WorkGroup': 1,
        'AWS::Glue::Database': 1,
        'AWS::Glue::Table': 10,
        'AWS::IAM::Policy': 7,
        'AWS::IAM::Role': 7,
        'AWS::KMS::Key': 1,
        'AWS::Kinesis::StreamConsumer': 1,
        'AWS::KinesisFirehose::DeliveryStream': 2,
        'AWS::Lambda::EventSourceMapping': 1,
        'AWS::Lambda::Function': 3,
        'AWS::Logs::LogGroup': 5,
        'AWS::Logs::LogStream': 2,
        'AWS::S3::Bucket': 4,
        'AWS::S3::BucketPolicy': 4,
        'AWS::Scheduler::Schedule': 2,
      },
      Finance: {
        'AWS::EC2::SecurityGroup': 1,
        'AWS::Events::Rule': 1,
        'AWS::IAM::Policy': 12,
        'AWS::IAM::Role': 12,
        'AWS::KMS::Key': 1,
        'AWS::Lambda::Function': 7,
        'AWS::Lambda::Permission': 1,
        'AWS::Logs::LogGroup': 7,
        'AWS::RedshiftServerless::Namespace': 1,
        'AWS::RedshiftServerless::Workgroup': 1,
        'AWS::S3::Bucket': 3,
        'AWS::S3::BucketPolicy': 3,
        'AWS::Scheduler::Schedule': 3,
        'Custom::LedgerSchema': 1,
        'AWS::StepFunctions::StateMachine': 1,
      },
      Inventory: {
        'AWS::ApiGateway::Deployment': 1,
        'AWS::ApiGateway::GatewayResponse': 3,
        'AWS::ApiGateway::Method': 1,
        'AWS::ApiGateway::Resource': 1,
        'AWS::ApiGateway::RestApi': 1,
        'AWS::ApiGateway::Stage': 1,
        'AWS::DynamoDB::GlobalTable': 4,
        'AWS::Events::Archive': 1,
        'AWS::Events::EventBus': 1,
        'AWS::IAM::Policy': 8,
        'AWS::IAM::Role': 8,
        'AWS::KMS::Key': 1,
        'AWS::Kinesis::StreamConsumer': 1,
        'AWS::Lambda::EventSourceMapping': 3,
        'AWS::Lambda::Function': 6,
        'AWS::Lambda::Permission': 1,
        'AWS::Logs::LogGroup': 7,
        'AWS::S3::Bucket': 1,
        'AWS::S3::BucketPolicy': 1,
        'AWS::Scheduler::Schedule': 2,
      },
      Watch: {
        'AWS::CloudWatch::Alarm': 100,
        'AWS::CloudWatch::Dashboard': 1,
        'AWS::KMS::Key': 1,
        'AWS::SNS::Topic': 1,
        'AWS::SNS::TopicPolicy': 1,
      },
    });
  });

  test('dev and local hold the same, but for what a stage says', () => {
    const differences = (name: Stage['name']) => {
      const found: Record<string, number> = {};
      const prod = countsOf(synthesizedStage('prod'));
      const other = countsOf(synthesizedStage(name));
      expect(Object.keys(other)).toEqual(Object.keys(prod));
      for (const stack of Object.keys(prod))
        for (const type of new Set([...Object.keys(prod[stack]!), ...Object.keys(other[stack]!)])) {
          const more = (other[stack]![type] ?? 0) - (prod[stack]![type] ?? 0);
          if (more !== 0) found[`${stack} ${type}`] = more;
        }
      return found;
    };

    // Prod has its databases already; the others make small ones.
    const databases = {
      'Cdc AWS::EC2::SecurityGroup': 2,
      'Cdc AWS::EC2::SecurityGroupEgress': -1,
      'Cdc AWS::EC2::SecurityGroupIngress': 2,
      'Cdc AWS::RDS::DBCluster': 2,
      'Cdc AWS::RDS::DBClusterParameterGroup': 2,
      'Cdc AWS::RDS::DBInstance': 2,
      'Cdc AWS::RDS::DBSubnetGroup': 2,
      'Cdc AWS::SecretsManager::Secret': 2,
      'Cdc AWS::SecretsManager::SecretTargetAttachment': 2,
    };
    expect(differences('local')).toEqual({
      ...databases,
      'Merchandising AWS::Kinesis::StreamConsumer': -1,
      'Lake AWS::Kinesis::StreamConsumer': -1,
      'Inventory AWS::Kinesis::StreamConsumer': -1,
    });
    expect(differences('dev')).toEqual({
      ...databases,
      'Badges AWS::IAM::Role': 1,
      'Badges AWS::Lambda::Function': 1,
      'Badges Custom::S3AutoDeleteObjects': 1,
      'Refine AWS::IAM::Role': 1,
      'Refine AWS::Lambda::Function': 1,
      'Refine Custom::S3AutoDeleteObjects': 1,
      'Merchandising AWS::IAM::Role': 1,
      'Merchandising AWS::Kinesis::StreamConsumer': -1,
      'Merchandising AWS::Lambda::Function': 1,
      'Merchandising Custom::S3AutoDeleteObjects': 1,
      'Lake AWS::IAM::Role': 1,
      'Lake AWS::Kinesis::StreamConsumer': -1,
      'Lake AWS::Lambda::Function': 1,
      'Lake Custom::S3AutoDeleteObjects': 4,
      'Finance AWS::IAM::Role': 1,
      'Finance AWS::Lambda::Function': 1,
      'Finance Custom::S3AutoDeleteObjects': 3,
      'Inventory AWS::IAM::Role': 1,
      'Inventory AWS::Kinesis::StreamConsumer': -1,
      'Inventory AWS::Lambda::Function': 1,
      'Inventory Custom::S3AutoDeleteObjects': 1,
    });
  });

  test.each(stages)('in %s CDK warns of nothing', (name) => {
    expect(synthesizedStage(name).warnings).toEqual([]);
  });

  test('an unknown stage is refused, with the names of those that there are', () => {
    for (const name of ['prdo', 'toString', ''])
      expect(() => stageNamed(name)).toThrow(`stage '${name}' is unknown: use local, dev, prod`);
  });
});

describe('the network', () => {
  test.each(stages)('of %s has no way out to the internet, and none in', (name) => {
    const synthesized = synthesizedStage(name);
    const ways = [
      'AWS::EC2::EIP',
      'AWS::EC2::EgressOnlyInternetGateway',
      'AWS::EC2::InternetGateway',
      'AWS::EC2::NatGateway',
      'AWS::EC2::Route',
      'AWS::EC2::VPCGatewayAttachment',
      'AWS::EC2::VPCPeeringConnection',
    ];

    expect(ofType(synthesized, ...ways).map(nameOf)).toEqual([]);
    for (const { Properties } of ofType(synthesized, 'AWS::EC2::Subnet'))
      expect(Properties.MapPublicIpOnLaunch).toBe(false);
    const databases = [
      'AWS::RDS::DBInstance',
      'AWS::RedshiftServerless::Workgroup',
      'AWS::Timestream::InfluxDBInstance',
    ];
    const exposed = ofType(synthesized, ...databases).map(({ Properties }) => Properties.PubliclyAccessible);
    expect(exposed).toEqual(name === 'prod' ? [false, false] : [false, false, false, false]);
    const open = [
      ...ofType(synthesized, 'AWS::EC2::SecurityGroup').flatMap(
        ({ Properties }) => Properties.SecurityGroupIngress ?? [],
      ),
      ...ofType(synthesized, 'AWS::EC2::SecurityGroupIngress').map(({ Properties }) => Properties),
    ].filter(({ SourceSecurityGroupId }) => SourceSecurityGroupId === undefined);
    expect(open).toEqual([]);
  });

  test('can be one that exists: the app then makes none, and lies in its subnets', () => {
    const network: ExistingNetwork = {
      vpcId: 'vpc-1',
      vpcCidr: '10.0.0.0/16',
      availabilityZones: ['eu-west-1a', 'eu-west-1b', 'eu-west-1c'],
      privateSubnetIds: ['subnet-a', 'subnet-b', 'subnet-c'],
      createEndpoints: false,
    };

    const synthesized = synthesize({ ...stageNamed('prod'), network });

    expect(synthesized.warnings).toEqual([]);
    expect(countsOf(synthesized)).toEqual({
      ...countsOf(synthesizedStage('prod')),
      Network: { 'AWS::EC2::SecurityGroup': 1 },
    });
    for (const { Properties } of ofType(synthesized, 'AWS::RedshiftServerless::Workgroup'))
      expect(Properties.SubnetIds).toEqual(network.privateSubnetIds);
    for (const { Properties } of ofType(synthesized, 'AWS::Timestream::InfluxDBInstance'))
      expect(Properties.VpcSubnetIds).toEqual(network.privateSubnetIds);
    for (const { Properties } of ofType(synthesized, 'AWS::DMS::ReplicationSubnetGroup'))
      expect(Properties.SubnetIds).toEqual(network.privateSubnetIds);
    const inside = ofType(synthesized, 'AWS::Lambda::Function').filter(({ Properties }) => Properties.VpcConfig);
    expect(inside.map(({ stack, Properties }) => [stack, Properties.VpcConfig.SubnetIds])).toEqual(
      ['Cdc', 'Cdc', ...Array(4).fill('Merchandising')].map((stack) => [stack, network.privateSubnetIds]),
    );
  });
});

test.each(stages)('no template of %s has a card number in it', (name) => {
  const text = JSON.stringify(withoutHashes(synthesizedStage(name).templates));
  const runs = text.match(/(?<!\d)\d{13,19}(?!\d)/g) ?? [];

  // Not the run itself: it would be printed.
  expect(runs.filter((digits) => isCardNumber(digits)).length).toBe(0);
});

test.each(stages)('in %s every import is an export of a stack that is deployed before', (name) => {
  const synthesized = synthesizedStage(name);
  const order = Object.keys(countsOf(synthesized));

  for (const resource of synthesized.resources)
    for (const reference of referencesIn(withoutSubstitutions(resource.Properties), resource.stack, synthesized)) {
      const [producer] = reference.split('/') as [string];
      expect(order.indexOf(producer)).toBeLessThanOrEqual(order.indexOf(resource.stack));
    }
});

/** CDK names the bucket of assets, and policies of AWS, by Fn::Sub: they are in no stack of ours. */
function withoutSubstitutions(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value ?? null), (_, inner) => (inner?.['Fn::Sub'] === undefined ? inner : null));
}
