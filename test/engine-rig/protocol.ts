import type { IncomingMessage } from 'node:http';
import { type HttpAnswer, jsonAnswer, readRequest } from '../../local/door/http';
import { encodeS3, encodeS3Error } from '../../local/door/s3-answer';
import { decodeS3 } from '../../local/door/s3-protocol';
import type { AwsError } from '../../local/engines/engine';

/** One call, whatever protocol it came by, and how that protocol words its answer. */
export interface Call {
  readonly service: string;
  readonly operation: string;
  readonly input: any;
  answer(output: any): HttpAnswer;
  refuse(error: AwsError): HttpAnswer;
}

const services: Readonly<Record<string, string>> = {
  DynamoDB_20120810: 'dynamodb',
  Kinesis_20131202: 'kinesis',
  TrentService: 'kms',
  Firehose_20150804: 'firehose',
  secretsmanager: 'secretsmanager',
  RedshiftData: 'redshift-data',
  RedshiftServerless: 'redshift-serverless',
  AmazonDMSv20160101: 'dms',
  AWSGlue: 'glue',
  AmazonAthena: 'athena',
  AWSEvents: 'events',
  Timestream_20181101: 'timestream',
};

/** Reads a request: JSON by its X-Amz-Target, Lambda's Invoke by its path, anything else is S3. */
export async function readCall(message: IncomingMessage): Promise<Call> {
  const request = await readRequest(message, 64 * 1024 * 1024);
  const target = request.headers['x-amz-target'];
  if (typeof target === 'string') return jsonCall(target, request.body);
  const invoked = /^\/2015-03-31\/functions\/([^/]+)\/invocations$/.exec(request.path);
  if (invoked !== null) return lambdaCall(decodeURIComponent(invoked[1]!), request.body);
  const call = decodeS3(request);
  return {
    service: 's3',
    ...call,
    answer: (output) => encodeS3(call, output),
    refuse: (error) => encodeS3Error(error, request.method),
  };
}

function jsonCall(target: string, body: Buffer): Call {
  const [prefix, operation] = target.split('.') as [string, string];
  const service = services[prefix];
  if (service === undefined) throw new Error(`the rig knows no service ${prefix}`);
  const contentType = { 'content-type': 'application/x-amz-json-1.1' };
  return {
    service,
    operation,
    input: JSON.parse(body.toString() || '{}'),
    answer: (output) => jsonAnswer(200, output ?? {}, contentType),
    refuse: ({ code, message, statusCode, fields }) =>
      jsonAnswer(statusCode, { __type: code, message, ...fields }, contentType),
  };
}

function lambdaCall(FunctionName: string, body: Buffer): Call {
  return {
    service: 'lambda',
    operation: 'Invoke',
    input: { FunctionName, Payload: body.toString() },
    answer: ({ FunctionError, Payload }) => ({
      statusCode: 200,
      headers: FunctionError === undefined ? {} : { 'x-amz-function-error': FunctionError },
      body: Payload,
    }),
    refuse: ({ code, message, statusCode }) =>
      jsonAnswer(statusCode, { Type: 'User', Message: message }, { 'x-amzn-errortype': code }),
  };
}
