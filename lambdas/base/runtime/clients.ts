import { Agent } from 'node:https';
import { AthenaClient } from '@aws-sdk/client-athena';
import { DatabaseMigrationServiceClient } from '@aws-sdk/client-database-migration-service';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { FirehoseClient } from '@aws-sdk/client-firehose';
import { KinesisClient } from '@aws-sdk/client-kinesis';
import { KMSClient } from '@aws-sdk/client-kms';
import { RedshiftDataClient } from '@aws-sdk/client-redshift-data';
import { RedshiftServerlessClient } from '@aws-sdk/client-redshift-serverless';
import { S3Client } from '@aws-sdk/client-s3';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { NodeHttpHandler } from '@smithy/node-http-handler';

/**
 * AWS clients, one configuration for all. Region, credentials and endpoint come from the environment that Lambda (or
 * the local run) gives. Call each once per container, at module level. HTTP/1.1 throughout: one keep-alive pool, and the
 * timeouts bound every call so that a hanging service ends as an error that is retried, not as a function timeout.
 */
function connection() {
  return {
    maxAttempts: 4,
    requestHandler: new NodeHttpHandler({
      httpsAgent: new Agent({ keepAlive: true, maxSockets: 50 }),
      connectionTimeout: 2_000,
      requestTimeout: 10_000,
      // Without it a request that takes longer is only warned about.
      throwOnRequestTimeout: true,
      // The one above ends when an answer begins; this one is for an answer that stops in its middle.
      socketTimeout: 10_000,
    }),
  };
}

export const athenaClient = (): AthenaClient => new AthenaClient(connection());
export const databaseMigrationServiceClient = (): DatabaseMigrationServiceClient =>
  new DatabaseMigrationServiceClient(connection());
export const dynamoDbClient = (): DynamoDBClient => new DynamoDBClient(connection());
export const eventBridgeClient = (): EventBridgeClient => new EventBridgeClient(connection());
export const kinesisClient = (): KinesisClient => new KinesisClient(connection());
export const kmsClient = (): KMSClient => new KMSClient(connection());
export const firehoseClient = (): FirehoseClient => new FirehoseClient(connection());
export const secretsManagerClient = (): SecretsManagerClient => new SecretsManagerClient(connection());
export const redshiftDataClient = (): RedshiftDataClient => new RedshiftDataClient(connection());
export const redshiftServerlessClient = (): RedshiftServerlessClient => new RedshiftServerlessClient(connection());
// Path style, so that a bucket needs no name resolution of its own.
export const s3Client = (): S3Client => new S3Client({ ...connection(), forcePathStyle: true });
