import { Template } from 'aws-cdk-lib/assertions';
import { NetworkStack } from '../../lib/base/network-stack';
import { type ExistingNetwork, type Stage, stageNamed } from '../../lib/stages';
import { ownApp, typesIn } from './own-app';

function synthesize(change: Partial<Stage> = {}) {
  const app = ownApp();
  const stage = { ...stageNamed('prod'), ...change };
  const network = new NetworkStack(app, 'Network', { stage, env: { region: stage.region } });
  return { network, template: Template.fromStack(network) };
}
const resources = (template: Template, type: string) => Object.values<any>(template.findResources(type));

describe('a network of its own', () => {
  let template: Template;
  let network: NetworkStack;
  beforeAll(() => {
    ({ template, network } = synthesize());
  });

  test('holds what it is made of, and nothing else: no gateway, no NAT, no public subnet', () => {
    expect(typesIn(template)).toEqual({
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
    });
    expect(resources(template, 'AWS::EC2::Subnet').map(({ Properties }) => Properties.MapPublicIpOnLaunch)).toEqual([
      false,
      false,
      false,
    ]);
  });

  test('has a subnet in each of three zones, known without asking an account', () => {
    expect(resources(template, 'AWS::EC2::Subnet').map(({ Properties }) => Properties.AvailabilityZone)).toEqual([
      'eu-west-1a',
      'eu-west-1b',
      'eu-west-1c',
    ]);
    expect(network.vpc.isolatedSubnets).toHaveLength(3);
    expect([network.vpc.privateSubnets, network.vpc.publicSubnets]).toEqual([[], []]);
  });

  test('reaches S3 and DynamoDB from every subnet', () => {
    const gateways = resources(template, 'AWS::EC2::VPCEndpoint').filter(
      ({ Properties }) => Properties.VpcEndpointType === 'Gateway',
    );

    expect(gateways.map(({ Properties }) => JSON.stringify(Properties.ServiceName))).toEqual([
      expect.stringContaining('s3'),
      expect.stringContaining('dynamodb'),
    ]);
    for (const { Properties } of gateways) expect(Properties.RouteTableIds).toHaveLength(3);
  });

  test('reaches Secrets Manager and Kinesis by their usual names, from the functions and DMS only', () => {
    const [endpoint, kinesis] = resources(template, 'AWS::EC2::VPCEndpoint').filter(
      ({ Properties }) => Properties.VpcEndpointType === 'Interface',
    );
    const groups = template.findResources('AWS::EC2::SecurityGroup');
    const [functions] = Object.keys(groups).filter((id) => id.startsWith('Functions'));
    const [endpoints] = Object.keys(groups).filter((id) => id.startsWith('Endpoints'));

    expect(endpoint.Properties).toMatchObject({
      ServiceName: 'com.amazonaws.eu-west-1.secretsmanager',
      PrivateDnsEnabled: true,
      SecurityGroupIds: [{ 'Fn::GetAtt': [endpoints, 'GroupId'] }],
    });
    expect(endpoint.Properties.SubnetIds).toHaveLength(3);
    expect(kinesis.Properties).toEqual({
      ...endpoint.Properties,
      ServiceName: 'com.amazonaws.eu-west-1.kinesis-streams',
    });
    const [ingress] = resources(template, 'AWS::EC2::SecurityGroupIngress');
    expect(ingress.Properties).toMatchObject({
      GroupId: { 'Fn::GetAtt': [endpoints, 'GroupId'] },
      SourceSecurityGroupId: { 'Fn::GetAtt': [functions, 'GroupId'] },
      FromPort: 443,
      ToPort: 443,
    });
    expect(groups[endpoints!]!.Properties.SecurityGroupIngress).toBeUndefined();
  });

  test('lets functions out by TLS only, and nobody in', () => {
    const [functions] = Object.entries<any>(template.findResources('AWS::EC2::SecurityGroup')).filter(([id]) =>
      id.startsWith('Functions'),
    );

    expect(functions![1].Properties.SecurityGroupEgress).toEqual([
      expect.objectContaining({ CidrIp: '0.0.0.0/0', FromPort: 443, ToPort: 443, IpProtocol: 'tcp' }),
    ]);
    expect(functions![1].Properties.SecurityGroupIngress).toBeUndefined();
  });

  test('logs its flows, encrypted, for as long as other logs', () => {
    template.hasResourceProperties('AWS::EC2::FlowLog', { TrafficType: 'ALL', ResourceType: 'VPC' });
    const [logs] = resources(template, 'AWS::Logs::LogGroup');
    expect(logs.Properties.RetentionInDays).toBe(stageNamed('prod').logRetentionDays);
    expect(logs.Properties.KmsKeyId).toBeDefined();
    expect(logs.DeletionPolicy).toBe('Retain');
  });
});

describe('a network that exists', () => {
  const existing: ExistingNetwork = {
    vpcId: 'vpc-1',
    vpcCidr: '10.0.0.0/16',
    availabilityZones: ['eu-west-1a', 'eu-west-1b', 'eu-west-1c'],
    privateSubnetIds: ['subnet-a', 'subnet-b', 'subnet-c'],
    createEndpoints: true,
  };

  test('is given the endpoints that it lacks, in its own subnets', () => {
    const { template, network } = synthesize({ network: existing });

    expect(typesIn(template)).toEqual({
      'AWS::EC2::SecurityGroup': 2,
      'AWS::EC2::SecurityGroupIngress': 1,
      'AWS::EC2::VPCEndpoint': 3,
    });
    expect(resources(template, 'AWS::EC2::VPCEndpoint')[0].Properties).toMatchObject({
      VpcId: 'vpc-1',
      SubnetIds: ['subnet-a', 'subnet-b', 'subnet-c'],
    });
    expect(network.vpc.isolatedSubnets.map(({ subnetId }) => subnetId)).toEqual(existing.privateSubnetIds);
  });

  test('with endpoints of its own, is given a security group and nothing else', () => {
    const { template } = synthesize({ network: { ...existing, createEndpoints: false } });

    expect(typesIn(template)).toEqual({ 'AWS::EC2::SecurityGroup': 1 });
  });
});
