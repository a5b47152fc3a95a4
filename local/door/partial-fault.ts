/**
 * Failing one part of a batch while the rest of it is done, in the shape in which each API reports that. The parts left
 * over go to the engine as a smaller batch; the failed one is put back into the answer at its place.
 */

/** How a part fails. */
export type PartialFailure = 'throttle' | 'error';

interface Batch {
  /** The number of parts of the input. */
  size(input: any): number;
  /** The input without one part. */
  without(input: any, part: number): any;
  /** The answer with the part's failure in it. The answer lacks the part, or holds its success if it was executed. */
  withFailure(input: any, output: any, part: number, failure: PartialFailure, executed: boolean): any;
}

const batches = new Map<string, Batch>([
  ['dynamodb:BatchExecuteStatement', listBatch('Statements', 'Responses', failedStatement)],
  ['kinesis:PutRecords', listBatch('Records', 'Records', failedRecord, 'FailedRecordCount')],
  ['events:PutEvents', listBatch('Entries', 'Entries', failedEntry, 'FailedEntryCount')],
  ['firehose:PutRecordBatch', listBatch('Records', 'RequestResponses', failedDelivery, 'FailedPutCount')],
  ['dynamodb:BatchGetItem', keyedBatch('UnprocessedKeys', keysOf, withKeys)],
  [
    'dynamodb:BatchWriteItem',
    keyedBatch(
      'UnprocessedItems',
      (requests) => requests,
      (_requests, left) => left,
    ),
  ],
]);

/** The operations of which a single part can fail. */
export const partialOperations: readonly string[] = [...batches.keys()];

/** Runs a batch in such a way that one of its parts fails: it is left out, or executed and yet reported as failed. */
export async function failPart(
  operation: string,
  input: any,
  part: number,
  failure: PartialFailure,
  executed: boolean,
  run: (input: any) => Promise<any>,
): Promise<any> {
  const batch = batches.get(operation)!;
  const size = batch.size(input);
  if (part >= size) return run(input);
  const rest = executed ? input : batch.without(input, part);
  const output = executed || size > 1 ? await run(rest) : {};
  return batch.withFailure(input, output, part, failure, executed);
}

function listBatch(
  parts: string,
  answers: string,
  failed: (input: any, part: number, failure: PartialFailure) => unknown,
  failedCount?: string,
): Batch {
  return {
    size: (input) => input[parts]?.length ?? 0,
    without: (input, part) => ({ ...input, [parts]: input[parts].toSpliced(part, 1) }),
    withFailure: (input, output, part, failure, executed) => {
      const list = (output[answers] ?? []).toSpliced(part, executed ? 1 : 0, failed(input, part, failure));
      const count = failedCount === undefined ? {} : { [failedCount]: (output[failedCount] ?? 0) + 1 };
      return { ...output, ...count, [answers]: list };
    },
  };
}

/** Batches by table: parts are counted through the tables in their order, the failed one comes back unprocessed. */
function keyedBatch(
  unprocessed: string,
  partsOf: (request: any) => readonly any[],
  withParts: (request: any, parts: readonly any[]) => any,
): Batch {
  const locate = (input: any, part: number): { table: string; at: number } => {
    let at = part;
    for (const [table, request] of Object.entries<any>(input.RequestItems)) {
      if (at < partsOf(request).length) return { table, at };
      at -= partsOf(request).length;
    }
    throw new Error(`the batch has no part ${part}`);
  };
  return {
    size: (input) => Object.values(input.RequestItems ?? {}).reduce((sum: number, one) => sum + partsOf(one).length, 0),
    without: (input, part) => {
      const { table, at } = locate(input, part);
      const request = input.RequestItems[table];
      const left = partsOf(request).toSpliced(at, 1);
      const { [table]: _, ...others } = input.RequestItems;
      return {
        ...input,
        RequestItems: left.length === 0 ? others : { ...input.RequestItems, [table]: withParts(request, left) },
      };
    },
    withFailure: (input, output, part, _failure, executed) => {
      const { table, at } = locate(input, part);
      const request = input.RequestItems[table];
      const before = output[unprocessed]?.[table];
      const parts = [...(before === undefined ? [] : partsOf(before)), partsOf(request)[at]];
      return {
        ...(executed && unprocessed === 'UnprocessedKeys' ? withoutItem(output, table, partsOf(request)[at]) : output),
        [unprocessed]: { ...output[unprocessed], [table]: withParts(request, parts) },
      };
    },
  };
}

function keysOf({ Keys = [] }: any): readonly any[] {
  return Keys;
}

function withKeys(request: any, Keys: readonly any[]): any {
  return { ...request, Keys };
}

function withoutItem(output: any, table: string, key: Record<string, Record<string, unknown>>): any {
  const isItem = (item: any): boolean =>
    Object.entries(key).every(([name, value]) => JSON.stringify(item[name]) === JSON.stringify(value));
  const items = output.Responses?.[table]?.filter((item: any) => !isItem(item)) ?? [];
  return { ...output, Responses: { ...output.Responses, [table]: items } };
}

function failedStatement(_input: unknown, _part: number, failure: PartialFailure): unknown {
  return failure === 'throttle'
    ? { Error: { Code: 'ThrottlingError', Message: 'Throughput exceeds the current capacity of your table or index.' } }
    : { Error: { Code: 'InternalServerError', Message: 'Internal server error' } };
}

function failedRecord({ StreamName, StreamARN }: any, _part: number, failure: PartialFailure): unknown {
  const stream = StreamName ?? String(StreamARN).split('/').pop();
  return failure === 'throttle'
    ? {
        ErrorCode: 'ProvisionedThroughputExceededException',
        ErrorMessage: `Rate exceeded for shard shardId-000000000000 in stream ${stream} under account 000000000000.`,
      }
    : { ErrorCode: 'InternalFailure', ErrorMessage: 'Internal Service Failure' };
}

function failedEntry(_input: unknown, _part: number, failure: PartialFailure): unknown {
  return failure === 'throttle'
    ? { ErrorCode: 'ThrottlingException', ErrorMessage: 'Rate exceeded' }
    : { ErrorCode: 'InternalFailure', ErrorMessage: 'Internal service failure' };
}

function failedDelivery(_input: unknown, _part: number, failure: PartialFailure): unknown {
  return failure === 'throttle'
    ? { ErrorCode: 'ServiceUnavailableException', ErrorMessage: 'Slow down.' }
    : { ErrorCode: 'InternalFailure', ErrorMessage: 'Internal Service Failure' };
}
