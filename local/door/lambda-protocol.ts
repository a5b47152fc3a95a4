import { randomUUID } from 'node:crypto';
import { AwsError } from '../engines/engine';
import { decodePercent } from './canonical-request';
import { type HttpAnswer, type HttpRequest, jsonAnswer } from './http';

/** What a function gave back: its result, or the error that it ended with. */
export interface Invocation {
  /** The result, or `{ errorType, errorMessage }`, as JSON text. */
  readonly payload: string;
  readonly functionError?: 'Unhandled' | 'Handled';
}

/** Invokes a function and waits for it. Throws `AwsError` where Lambda itself refuses: no such function, too many. */
export type Invoke = (functionName: string, event: unknown) => Promise<Invocation>;

/** The input of `lambda:Invoke`, with the payload as a value. */
export interface InvokeInput {
  readonly FunctionName: string;
  readonly Payload: unknown;
}

const route = /^\/2015-03-31\/functions\/([^/]+)\/invocations$/;

/** Whether a request is for Lambda. */
export function isLambda({ path }: HttpRequest): boolean {
  return path.startsWith('/2015-03-31/');
}

/** Reads an invocation. Only synchronous ones are modelled. */
export function decodeInvoke({ method, path, query, headers, body }: HttpRequest): InvokeInput {
  const name = method === 'POST' ? route.exec(path)?.[1] : undefined;
  if (name === undefined) throw new AwsError('NotModelledException', `lambda: ${method} ${path} is not modelled`, 501);
  const type = headers['x-amz-invocation-type'] ?? 'RequestResponse';
  if (type !== 'RequestResponse' || headers['x-amz-log-type'] === 'Tail' || query.includes('Qualifier='))
    throw new AwsError('NotModelledException', `lambda: only RequestResponse, without log tail and qualifier`, 501);
  try {
    return {
      FunctionName: decodePercent(name).replace(/^arn:.*:function:/, ''),
      Payload: body.length === 0 ? {} : JSON.parse(body.toString('utf8')),
    };
  } catch {
    throw new AwsError('InvalidRequestContentException', 'Could not parse request body into json');
  }
}

/** Answers an invocation: a function's own failure is a success of the call. */
export function encodeInvocation({ payload, functionError }: Invocation): HttpAnswer {
  return {
    statusCode: 200,
    headers: {
      'content-type': 'application/json',
      'x-amzn-requestid': randomUUID(),
      'x-amz-executed-version': '$LATEST',
      ...(functionError === undefined ? {} : { 'x-amz-function-error': functionError }),
    },
    body: payload,
  };
}

/** Answers with an error, as Lambda and API Gateway name it: in a header. */
export function encodeRestError({ code, message, statusCode }: AwsError): HttpAnswer {
  const headers = { 'x-amzn-errortype': code, 'x-amzn-requestid': randomUUID() };
  return jsonAnswer(statusCode, { Type: statusCode < 500 ? 'User' : 'Service', message }, headers);
}
