import { InvokeCommand, type LambdaClient } from '@aws-sdk/client-lambda';

/** Invokes a function and answers what it returned. Throws with the message of a function that failed. */
export async function invoke(lambda: LambdaClient, functionName: string, payload: object): Promise<any> {
  const { FunctionError, Payload } = await lambda.send(
    new InvokeCommand({ FunctionName: functionName, Payload: JSON.stringify(payload) }),
  );
  const answer = JSON.parse(Buffer.from(Payload ?? []).toString() || 'null');
  if (FunctionError !== undefined) throw new Error(answer?.errorMessage ?? FunctionError);
  return answer;
}
