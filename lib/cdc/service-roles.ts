import { ManagedPolicy, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';

/** The roles without which DMS makes no subnet group and writes no log, under the only names by which it finds them. */
export class ServiceRoles extends Construct {
  constructor(scope: Construct, id: string) {
    super(scope, id);
    const roles = {
      'dms-vpc-role': 'AmazonDMSVPCManagementRole',
      'dms-cloudwatch-logs-role': 'AmazonDMSCloudWatchLogsRole',
    };
    for (const [roleName, policy] of Object.entries(roles))
      new Role(this, roleName, {
        roleName,
        assumedBy: new ServicePrincipal('dms.amazonaws.com'),
        managedPolicies: [ManagedPolicy.fromAwsManagedPolicyName(`service-role/${policy}`)],
      });
  }
}
