/** What lies in a held object: the event to send again, and the function that it was meant for, where it says so. */
export interface HeldEvent {
  /** As the function got it, unchanged, so that positions survive. */
  readonly payload: string;
  readonly records: number;
  readonly functionName?: string;
}

/**
 * Reads a held object: one of Lambda's failure destination, or one that a function held itself. `payload` is the event, as
 * JSON text or as an object: AWS's documentation shows the one, and its recordings cannot tell. Throws what is wrong.
 */
export function readHeldObject(text: string): HeldEvent {
  let held: any;
  try {
    held = JSON.parse(text);
  } catch {
    throw new Error('the object is not JSON');
  }
  if (held?.payload === undefined) throw new Error('the object has no payload');
  const payload = typeof held.payload === 'string' ? held.payload : JSON.stringify(held.payload);
  let event: any;
  try {
    event = JSON.parse(payload);
  } catch {
    throw new Error('the payload is not JSON');
  }
  if (!Array.isArray(event?.Records) || event.Records.length === 0) throw new Error('the payload has no Records');
  const records = event.Records.length;
  const functionName = functionNameOf(held.requestContext?.functionArn);
  return functionName === undefined ? { payload, records } : { payload, records, functionName };
}

/** What a function's answer to a redriven event means: undefined when all of it was processed, else what was not. */
export function failureOf({ FunctionError, Payload }: { FunctionError?: string; Payload: string }): string | undefined {
  let answer: any;
  try {
    answer = JSON.parse(Payload || 'null');
  } catch {
    return 'the function did not answer JSON';
  }
  if (FunctionError !== undefined) return `the function failed: ${answer?.errorType ?? FunctionError}`;
  const failures = answer?.batchItemFailures ?? [];
  if (!Array.isArray(failures)) return 'the function answered batchItemFailures that is no list';
  return failures.length === 0 ? undefined : `the function gave back records from ${failures[0]?.itemIdentifier} on`;
}

/** `arn:aws:lambda:eu-west-1:000000000000:function:NAME[:alias]` */
function functionNameOf(functionArn: unknown): string | undefined {
  return typeof functionArn === 'string' ? functionArn.split(':')[6] : undefined;
}
