import type { LocalAccount } from '../account';
import type { ResourceModel } from '../template/resource-model';

const reason = 'everything is on 127.0.0.1';

/** Parts of a network exist by name only: what they separate is all one machine here. */
function nameOnly(properties: readonly string[], attributes: readonly string[] = []): ResourceModel<LocalAccount> {
  return {
    uses: [],
    withoutEffect: Object.fromEntries(['Tags', ...properties].map((property) => [property, reason])),
    create: ({ generatedName }) => ({
      ref: generatedName,
      attributes: Object.fromEntries(attributes.map((attribute) => [attribute, generatedName])),
    }),
  };
}

export const networkModels: Readonly<Record<string, ResourceModel<LocalAccount>>> = {
  'AWS::EC2::VPC': nameOnly(
    ['CidrBlock', 'EnableDnsHostnames', 'EnableDnsSupport', 'InstanceTenancy'],
    ['VpcId', 'CidrBlock', 'DefaultSecurityGroup'],
  ),
  'AWS::EC2::Subnet': nameOnly(['AvailabilityZone', 'CidrBlock', 'MapPublicIpOnLaunch', 'VpcId'], ['SubnetId']),
  'AWS::EC2::RouteTable': nameOnly(['VpcId']),
  'AWS::EC2::SubnetRouteTableAssociation': nameOnly(['RouteTableId', 'SubnetId']),
  'AWS::EC2::VPCEndpoint': nameOnly(
    [
      'PrivateDnsEnabled',
      'RouteTableIds',
      'SecurityGroupIds',
      'ServiceName',
      'SubnetIds',
      'VpcEndpointType',
      'VpcId',
      'PolicyDocument',
    ],
    ['Id'],
  ),
  'AWS::EC2::SecurityGroup': nameOnly(
    ['GroupDescription', 'SecurityGroupEgress', 'SecurityGroupIngress', 'VpcId'],
    ['GroupId'],
  ),
  'AWS::EC2::SecurityGroupIngress': nameOnly([
    'Description',
    'FromPort',
    'GroupId',
    'IpProtocol',
    'SourceSecurityGroupId',
    'ToPort',
  ]),
  'AWS::EC2::SecurityGroupEgress': nameOnly([
    'Description',
    'DestinationSecurityGroupId',
    'FromPort',
    'GroupId',
    'IpProtocol',
    'ToPort',
  ]),
  'AWS::EC2::FlowLog': nameOnly([
    'DeliverLogsPermissionArn',
    'LogDestinationType',
    'LogGroupName',
    'ResourceId',
    'ResourceType',
    'TrafficType',
  ]),
};
