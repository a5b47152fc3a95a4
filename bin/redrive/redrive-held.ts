import { InvokeCommand, type LambdaClient } from '@aws-sdk/client-lambda';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  paginateListObjectsV2,
  type S3Client,
} from '@aws-sdk/client-s3';
import { failureOf, readHeldObject } from './held-object';

export interface RedriveOptions {
  readonly bucket: string;
  readonly functionName: string;
  readonly prefixes: readonly string[];
  /** Objects held longer are left alone: claims may be gone, and a repeat or conflict would pass for a new sale. */
  readonly maximumAgeDays: number;
  readonly dryRun: boolean;
  readonly now: number;
  readonly print: (line: string) => void;
}

export interface Redriven {
  /** Processed, and taken out of the bucket. */
  done: number;
  records: number;
  /** Left where they are, each with its reason printed. */
  left: number;
  /** Processed, but held again by the function: the new copy stays. */
  heldAgain: number;
}

/**
 * Sends what is held to its function again, oldest position first, one event at a time. An object goes only after the
 * function has processed all of its event; interrupted anywhere, it is simply sent again, which every consumer bears.
 */
export async function redriveHeld(s3: S3Client, lambda: LambdaClient, options: RedriveOptions): Promise<Redriven> {
  const { bucket, functionName, prefixes, maximumAgeDays, dryRun, now, print } = options;
  const result: Redriven = { done: 0, records: 0, left: 0, heldAgain: 0 };
  // The whole list first, so that what is held again meanwhile is not sent twice.
  for (const Prefix of prefixes)
    for (const { key, lastModified } of await listed(Prefix)) {
      const ageDays = (now - lastModified) / 86_400_000;
      if (ageDays > maximumAgeDays) {
        leave(key, `it was held ${Math.floor(ageDays)} days ago, and at most ${maximumAgeDays} are allowed`);
        continue;
      }
      try {
        await redrive(key);
      } catch (error) {
        leave(key, (error as Error).message);
      }
    }
  return result;

  async function listed(Prefix: string): Promise<{ key: string; lastModified: number }[]> {
    const objects: { key: string; lastModified: number }[] = [];
    for await (const { Contents = [] } of paginateListObjectsV2({ client: s3 }, { Bucket: bucket, Prefix }))
      for (const { Key, LastModified } of Contents)
        if (Key !== undefined) objects.push({ key: Key, lastModified: LastModified?.getTime() ?? now });
    return objects;
  }

  async function redrive(Key: string): Promise<void> {
    const object = await s3.send(new GetObjectCommand({ Bucket: bucket, Key }));
    const event = readHeldObject(await object.Body!.transformToString());
    if (event.functionName !== undefined && event.functionName !== functionName)
      return leave(Key, `it is for the function ${event.functionName}`);
    if (dryRun) {
      result.done += 1;
      result.records += event.records;
      return print(`would send ${Key}: ${event.records} records`);
    }
    const answer = await lambda.send(
      new InvokeCommand({ FunctionName: functionName, InvocationType: 'RequestResponse', Payload: event.payload }),
    );
    const failure = failureOf({
      Payload: answer.Payload?.transformToString() ?? '',
      ...(answer.FunctionError === undefined ? {} : { FunctionError: answer.FunctionError }),
    });
    if (failure !== undefined) return leave(Key, failure);
    result.records += event.records;

    // A function that holds the record once more writes the same key: that copy must stay.
    const current = await s3.send(new HeadObjectCommand({ Bucket: bucket, Key }));
    if (current.VersionId !== object.VersionId || current.LastModified?.getTime() !== object.LastModified?.getTime()) {
      result.heldAgain += 1;
      return print(`held again ${Key}: ${event.records} records`);
    }
    await s3.send(new DeleteObjectCommand({ Bucket: bucket, Key }));
    result.done += 1;
    print(`sent ${Key}: ${event.records} records`);
  }

  function leave(key: string, reason: string): void {
    result.left += 1;
    print(`left ${key}: ${reason}`);
  }
}
