import type { LocalAccount } from '../account';
import type { ResourceModel } from '../template/resource-model';
import * as analytics from './analytics';
import * as apiGateway from './api-gateway';
import * as cloudwatch from './cloudwatch';
import { custom } from './custom';
import * as dms from './dms';
import * as dynamodb from './dynamodb';
import * as events from './events';
import * as iam from './iam';
import * as kinesis from './kinesis';
import * as kms from './kms';
import * as lambda from './lambda';
import * as logs from './logs';
import { networkModels } from './network';
import * as rds from './rds';
import * as s3 from './s3';
import { schedule } from './schedule';
import * as secretsManager from './secrets-manager';
import * as sns from './sns';
import * as sqs from './sqs';
import * as stepFunctions from './step-functions';
import * as timestream from './timestream';

/** Every resource type that the local run knows. Another one in the template is an error. */
export const models: Readonly<Record<string, ResourceModel<LocalAccount>>> = {
  'AWS::ApiGateway::Account': apiGateway.account,
  'AWS::ApiGateway::Deployment': apiGateway.deployment,
  'AWS::ApiGateway::GatewayResponse': apiGateway.gatewayResponse,
  'AWS::ApiGateway::Method': apiGateway.method,
  'AWS::ApiGateway::Resource': apiGateway.resource,
  'AWS::ApiGateway::RestApi': apiGateway.restApi,
  'AWS::ApiGateway::Stage': apiGateway.stage,
  'AWS::Athena::WorkGroup': analytics.athenaWorkgroup,
  'AWS::CloudWatch::Alarm': cloudwatch.alarm,
  'AWS::CloudWatch::Dashboard': cloudwatch.dashboard,
  'AWS::DMS::Endpoint': dms.endpoint,
  'AWS::DMS::ReplicationConfig': dms.replicationConfig,
  'AWS::DMS::ReplicationSubnetGroup': dms.subnetGroup,
  'AWS::DynamoDB::GlobalTable': dynamodb.table,
  'AWS::Events::Archive': events.archive,
  'AWS::Events::EventBus': events.eventBus,
  'AWS::Events::EventBusPolicy': events.eventBusPolicy,
  'AWS::Events::Rule': events.rule,
  'AWS::Glue::Database': analytics.glueDatabase,
  'AWS::Glue::Table': analytics.glueTable,
  'AWS::IAM::Policy': iam.policy,
  'AWS::IAM::Role': iam.role,
  'AWS::KMS::Key': kms.key,
  'AWS::Kinesis::Stream': kinesis.stream,
  'AWS::KinesisFirehose::DeliveryStream': analytics.deliveryStream,
  'AWS::Lambda::EventInvokeConfig': lambda.eventInvokeConfig,
  'AWS::Lambda::EventSourceMapping': lambda.eventSourceMapping,
  'AWS::Lambda::Function': lambda.lambdaFunction,
  'AWS::Lambda::Permission': lambda.permission,
  'AWS::Logs::LogGroup': logs.logGroup,
  'AWS::Logs::LogStream': logs.logStream,
  'AWS::RDS::DBCluster': rds.cluster,
  'AWS::RDS::DBClusterParameterGroup': rds.parameterGroup,
  'AWS::RDS::DBInstance': rds.instance,
  'AWS::RDS::DBSubnetGroup': rds.subnetGroup,
  'AWS::RedshiftServerless::Namespace': analytics.redshiftNamespace,
  'AWS::RedshiftServerless::Workgroup': analytics.redshiftWorkgroup,
  'AWS::S3::Bucket': s3.bucket,
  'AWS::S3::BucketPolicy': s3.bucketPolicy,
  'AWS::SNS::Subscription': sns.subscription,
  'AWS::SNS::Topic': sns.topic,
  'AWS::SNS::TopicPolicy': sns.topicPolicy,
  'AWS::SQS::Queue': sqs.queue,
  'AWS::SQS::QueuePolicy': sqs.queuePolicy,
  'AWS::Scheduler::Schedule': schedule,
  'AWS::SecretsManager::Secret': secretsManager.secret,
  'AWS::SecretsManager::SecretTargetAttachment': rds.secretAttachment,
  'AWS::StepFunctions::StateMachine': stepFunctions.stateMachine,
  'AWS::Timestream::Database': timestream.database,
  'AWS::Timestream::InfluxDBInstance': analytics.influxDbInstance,
  'AWS::Timestream::Table': timestream.table,
  'Custom::*': custom,
  ...networkModels,
};
