import { Stack, type StackProps } from 'aws-cdk-lib';
import {
  FlowLogDestination,
  GatewayVpcEndpointAwsService,
  InterfaceVpcEndpoint,
  InterfaceVpcEndpointAwsService,
  IpAddresses,
  type ISecurityGroup,
  type IVpc,
  Peer,
  Port,
  SecurityGroup,
  SubnetType,
  Vpc,
} from 'aws-cdk-lib/aws-ec2';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import type { ExistingNetwork, Stage } from '../stages';
import { EncryptionKey, removalOf } from './encryption-key';

export interface NetworkStackProps extends StackProps {
  readonly stage: Stage;
}

/**
 * Private subnets in three zones without a way to the internet, for what insists on a network: Redshift, InfluxDB and its
 * functions, DMS and the functions that write to the source databases. S3 and DynamoDB are reached by gateway endpoints,
 * Secrets Manager, Kinesis and Athena by interface endpoints; no NAT.
 */
export class NetworkStack extends Stack {
  readonly vpc: IVpc;
  /** For functions in the network, and for DMS: they call, nobody calls them. */
  readonly functions: ISecurityGroup;

  /** Pinned, so that synth needs no account to look the zones up in. */
  override get availabilityZones(): string[] {
    return ['a', 'b', 'c'].map((zone) => `${this.region}${zone}`);
  }

  constructor(scope: Construct, id: string, { stage, ...props }: NetworkStackProps) {
    super(scope, id, props);
    const { network } = stage;
    this.vpc = 'vpcId' in network ? this.existing(network) : this.created(stage, network.cidr);

    this.functions = new SecurityGroup(this, 'Functions', {
      vpc: this.vpc,
      description: 'Functions in the network: out only',
      allowAllOutbound: false,
    });
    // There is no route out but the endpoints; their addresses are not known beforehand.
    this.functions.addEgressRule(Peer.anyIpv4(), Port.tcp(443), 'AWS endpoints');

    if (!('vpcId' in network) || network.createEndpoints) {
      const endpoints = new SecurityGroup(this, 'Endpoints', {
        vpc: this.vpc,
        description: 'AWS endpoints: from the functions only',
        allowAllOutbound: false,
      });
      endpoints.addIngressRule(this.functions, Port.tcp(443), 'functions');
      const services = {
        SecretsManager: InterfaceVpcEndpointAwsService.SECRETS_MANAGER,
        Kinesis: InterfaceVpcEndpointAwsService.KINESIS_STREAMS,
        Athena: InterfaceVpcEndpointAwsService.ATHENA,
      };
      for (const [name, service] of Object.entries(services))
        new InterfaceVpcEndpoint(this, name, {
          vpc: this.vpc,
          service,
          subnets: { subnets: this.vpc.isolatedSubnets },
          securityGroups: [endpoints],
          open: false,
        });
    }
  }

  private existing({ vpcId, vpcCidr, availabilityZones, privateSubnetIds }: ExistingNetwork): IVpc {
    return Vpc.fromVpcAttributes(this, 'Vpc', {
      vpcId,
      vpcCidrBlock: vpcCidr,
      availabilityZones: [...availabilityZones],
      isolatedSubnetIds: [...privateSubnetIds],
    });
  }

  private created(stage: Stage, cidr: string): IVpc {
    const vpc = new Vpc(this, 'Vpc', {
      ipAddresses: IpAddresses.cidr(cidr),
      maxAzs: 3,
      natGateways: 0,
      subnetConfiguration: [{ name: 'private', subnetType: SubnetType.PRIVATE_ISOLATED, cidrMask: 20 }],
      // Would need a function of CDK's own with wide rights; nothing of ours uses the default group.
      restrictDefaultSecurityGroup: false,
    });
    vpc.addGatewayEndpoint('S3', { service: GatewayVpcEndpointAwsService.S3 });
    vpc.addGatewayEndpoint('DynamoDb', { service: GatewayVpcEndpointAwsService.DYNAMODB });

    const { key } = new EncryptionKey(this, 'EncryptionKey', { stage, description: 'Tillstream network: flow logs' });
    const flowLogs = new LogGroup(this, 'FlowLogs', {
      encryptionKey: key,
      retention: stage.logRetentionDays as RetentionDays,
      removalPolicy: removalOf(stage),
    });
    const role = new Role(this, 'FlowLogsRole', { assumedBy: new ServicePrincipal('vpc-flow-logs.amazonaws.com') });
    role.addToPolicy(
      new PolicyStatement({
        actions: ['logs:CreateLogStream', 'logs:PutLogEvents', 'logs:DescribeLogStreams'],
        resources: [flowLogs.logGroupArn],
      }),
    );
    vpc.addFlowLog('FlowLog', { destination: FlowLogDestination.toCloudWatchLogs(flowLogs, role) });
    // CDK's own types disagree about optional properties; a Vpc is an IVpc.
    return vpc as IVpc;
  }
}
