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
import { TimestreamQueryClient } from '@aws-sdk/client-timestream-query';
import { TimestreamWriteClient } from '@aws-sdk/client-timestream-write';
import { NodeHttpHandler } from '@smithy/node-http-handler';

/**
 * AWS clients, one configuration for all. Region, credentials and endpoint come from the environment that Lambda (or
 * the local run) gives. Call each once per container, at module level. HTTP/1.1 throughout: one keep-alive pool, and the
 * timeouts bound every call so that a hanging service ends as an error that is retried, not as a function timeout.
 */
function connection(requestTimeout = 10_000) {
  return {
    maxAttempts: 4,
    requestHandler: new NodeHttpHandler({
      httpsAgent: new Agent({ keepAlive: true, maxSockets: 50 }),
      connectionTimeout: 2_000,
      requestTimeout,
      // Without it a request that takes longer is only warned about.
      throwOnRequestTimeout: true,
      // The one above ends when an answer begins; this one is for an answer that stops in its middle.
      socketTimeout: requestTimeout,
    }),
  };
}

/**
 * Takes the SDK's logging out of a client. It copies each input and answer, item by item, for a logger that nobody gave:
 * a fifth of what a function like the badges' spends. A removal that finds nothing means that the SDK has renamed it.
 */
function unlogged<Client extends { readonly middlewareStack: { remove(name: string): boolean } }>(
  client: Client,
): Client {
  if (!client.middlewareStack.remove('loggerMiddleware')) throw new Error('the client has no loggerMiddleware');
  return client;
}

/** Does not try again what took too long: a query that is given up would be run, and paid, once more. */
function withFinalTimeouts(client: TimestreamQueryClient): TimestreamQueryClient {
  client.middlewareStack.addRelativeTo(
    (next: (args: any) => Promise<any>) => async (args: any) => {
      try {
        return await next(args);
      } catch (error) {
        // By another name, and without its cause: both are what the SDK tries again by.
        const { name, message } = error as Error;
        throw name === 'TimeoutError' ? Object.assign(new Error(message), { name: 'QueryTimeout' }) : error;
      }
    },
    { name: 'finalTimeouts', relation: 'after', toMiddleware: 'retryMiddleware' },
  );
  return client;
}

export const athenaClient = (): AthenaClient => unlogged(new AthenaClient(connection()));
export const databaseMigrationServiceClient = (): DatabaseMigrationServiceClient =>
  unlogged(new DatabaseMigrationServiceClient(connection()));
export const dynamoDbClient = (): DynamoDBClient => unlogged(new DynamoDBClient(connection()));
export const eventBridgeClient = (): EventBridgeClient => unlogged(new EventBridgeClient(connection()));
export const kinesisClient = (): KinesisClient => unlogged(new KinesisClient(connection()));
export const kmsClient = (): KMSClient => unlogged(new KMSClient(connection()));
export const firehoseClient = (): FirehoseClient => unlogged(new FirehoseClient(connection()));
export const secretsManagerClient = (): SecretsManagerClient => unlogged(new SecretsManagerClient(connection()));
export const redshiftDataClient = (): RedshiftDataClient => unlogged(new RedshiftDataClient(connection()));
export const redshiftServerlessClient = (): RedshiftServerlessClient =>
  unlogged(new RedshiftServerlessClient(connection()));
// A query answers when it is through.
export const timestreamQueryClient = (requestTimeout = 25_000): TimestreamQueryClient =>
  withFinalTimeouts(unlogged(new TimestreamQueryClient(connection(requestTimeout))));
export const timestreamWriteClient = (): TimestreamWriteClient => unlogged(new TimestreamWriteClient(connection()));
// Path style, so that a bucket needs no name resolution of its own.
export const s3Client = (): S3Client => unlogged(new S3Client({ ...connection(), forcePathStyle: true }));
