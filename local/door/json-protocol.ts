import { randomUUID } from 'node:crypto';
import { AwsError } from '../engines/engine';
import type { HttpAnswer, HttpRequest } from './http';

/** The services that speak AWS JSON, by the prefix of their `X-Amz-Target`. */
const targets = new Map([
  ['DynamoDB_20120810', 'dynamodb'],
  ['DynamoDBStreams_20120810', 'dynamodb'],
  ['AWSEvents', 'events'],
  ['AmazonSQS', 'sqs'],
  ['Kinesis_20131202', 'kinesis'],
  ['TrentService', 'kms'],
  ['Firehose_20150804', 'firehose'],
  ['secretsmanager', 'secretsmanager'],
  ['RedshiftData', 'redshift-data'],
  ['RedshiftServerless', 'redshift-serverless'],
  ['AWSGlue', 'glue'],
  ['AmazonAthena', 'athena'],
  ['AmazonDMSv20160101', 'dms'],
  ['AWSStepFunctions', 'states'],
  ['Timestream_20181101', 'timestream'],
]);

/** The service and the operation that a request of an AWS JSON service is for. */
export function decodeTarget(target: string): { readonly service: string; readonly operation: string } {
  const dot = target.lastIndexOf('.');
  const service = targets.get(target.slice(0, dot));
  if (service === undefined)
    throw new AwsError('UnknownOperationException', `target '${target}' is unknown: use ${[...targets.keys()]}`);
  return { service, operation: target.slice(dot + 1) };
}

/** The input of an AWS JSON request (1.0 and 1.1). */
export function decodeJson({ headers, body }: HttpRequest): unknown {
  const type = headers['content-type'];
  if (type === undefined || !type.startsWith('application/x-amz-json-1.'))
    throw new AwsError('SerializationException', `content type '${type}' is not application/x-amz-json-1.0 or 1.1`);
  try {
    return body.length === 0 ? {} : JSON.parse(body.toString('utf8'));
  } catch {
    // The parser's own message would repeat a piece of the body.
    throw new AwsError('SerializationException', 'the body is not JSON');
  }
}

/** An answer of an AWS JSON service, in the version that the request came in. */
export function encodeJson({ headers }: HttpRequest, output: unknown): HttpAnswer {
  return answer(headers['content-type'], 200, JSON.stringify(output ?? {}));
}

/** An error of an AWS JSON service. */
export function encodeJsonError({ headers }: HttpRequest, error: AwsError): HttpAnswer {
  const { code, message, statusCode, fields } = error;
  return answer(headers['content-type'], statusCode, JSON.stringify({ __type: code, message, ...fields }));
}

function answer(type: string | undefined, statusCode: number, body: string): HttpAnswer {
  return {
    statusCode,
    headers: { 'content-type': type ?? 'application/x-amz-json-1.1', 'x-amzn-requestid': randomUUID() },
    body,
  };
}
