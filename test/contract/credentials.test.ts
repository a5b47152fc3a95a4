import { DynamoDBClient, ListTablesCommand } from '@aws-sdk/client-dynamodb';
import { DescribeDeliveryStreamCommand, FirehoseClient } from '@aws-sdk/client-firehose';
import { DescribeStreamSummaryCommand, KinesisClient } from '@aws-sdk/client-kinesis';
import { DescribeKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { DescribeStatementCommand, RedshiftDataClient } from '@aws-sdk/client-redshift-data';
import { GetNamespaceCommand, RedshiftServerlessClient } from '@aws-sdk/client-redshift-serverless';
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { AccessKeys } from '../../local/door/door';
import { type ClientOptions, type Endpoint, startEndpoint, uniqueName } from './endpoint';

let endpoint: Endpoint;

beforeAll(async () => {
  // Who calls is asked first: no engine is needed to be refused.
  endpoint = await startEndpoint(async () => []);
});

afterAll(() => endpoint.close());

/** A call of each service. What it names does not exist: a caller whom the service does not know must not learn that. */
const calls: Readonly<Record<string, (options: ClientOptions) => Promise<unknown>>> = {
  dynamodb: (options) => new DynamoDBClient(options).send(new ListTablesCommand({})),
  firehose: (options) =>
    new FirehoseClient(options).send(new DescribeDeliveryStreamCommand({ DeliveryStreamName: uniqueName() })),
  kinesis: (options) => new KinesisClient(options).send(new DescribeStreamSummaryCommand({ StreamName: uniqueName() })),
  kms: (options) => new KMSClient(options).send(new DescribeKeyCommand({ KeyId: `alias/${uniqueName()}` })),
  lambda: (options) => new LambdaClient(options).send(new InvokeCommand({ FunctionName: uniqueName() })),
  'redshift-data': (options) =>
    new RedshiftDataClient(options).send(new DescribeStatementCommand({ Id: uniqueName().slice('contract-'.length) })),
  'redshift-serverless': (options) =>
    new RedshiftServerlessClient(options).send(new GetNamespaceCommand({ namespaceName: uniqueName() })),
  s3: (options) =>
    new S3Client({ ...options, forcePathStyle: true }).send(new GetObjectCommand({ Bucket: uniqueName(), Key: 'x' })),
  secretsmanager: (options) =>
    new SecretsManagerClient(options).send(new GetSecretValueCommand({ SecretId: uniqueName() })),
};

const services = Object.keys(calls);

async function refusal(service: string, keys: Partial<AccessKeys>): Promise<string> {
  const credentials = { ...endpoint.client.credentials, ...keys };
  try {
    await calls[service]!({ ...endpoint.client, credentials });
  } catch (error) {
    return (error as Error).name;
  }
  throw new Error('the call succeeded');
}

const isS3 = (service: string) => service === 's3';

test.each(services)('%s knows its callers by their key', async (service) => {
  const name = await refusal(service, { accessKeyId: 'AKIAIOSFODNN7EXAMPLE' });

  expect(name).toBe(isS3(service) ? 'InvalidAccessKeyId' : 'UnrecognizedClientException');
});

test.each(services)('%s does not take the signature of another secret', async (service) => {
  const name = await refusal(service, { secretAccessKey: 'another' });

  expect(name).toBe(isS3(service) ? 'SignatureDoesNotMatch' : 'InvalidSignatureException');
});

test.each(services)('%s does not take a session that it did not give', async (service) => {
  const name = await refusal(service, { sessionToken: 'nonsense' });

  expect(name).toBe(isS3(service) ? 'InvalidToken' : 'UnrecognizedClientException');
});
