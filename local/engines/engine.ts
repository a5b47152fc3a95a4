/**
 * What every local engine is: one AWS service that answers operations with plain objects, in the shapes of the AWS API.
 * Engines know nothing of HTTP, signatures, policies, metering or faults: the door (local/door) does those for all.
 */

/** One AWS service. Binary values (`Data`, `Body`, `CiphertextBlob`) are base64 strings, as in the service's JSON, except S3 bodies: Buffers. */
export interface Engine {
  /** The service's prefix in IAM actions: `dynamodb`, `kinesis`, `kms`, `s3`, `firehose`, `secretsmanager`, `redshift-data`, ... */
  readonly service: string;
  /** Runs one operation. Throws `AwsError` for every answer that AWS would give with a status of 400 or above. */
  call(operation: string, input: any): Promise<any>;
  /** Every byte of its logical content, piece by piece, for the card number scan: decoded values, not storage formats. */
  contents(): AsyncIterable<{ readonly where: string; readonly text: string }>;
  close(): Promise<void>;
}

/** An error answer of AWS, as its SDK sees it. */
export class AwsError extends Error {
  constructor(
    /** The error's code without namespace: `ConditionalCheckFailedException`. */
    readonly code: string,
    message: string,
    readonly statusCode = 400,
    /** Further members of the answer: `{ Item }`, `{ CancellationReasons }`. */
    readonly fields: Readonly<Record<string, unknown>> = {},
  ) {
    super(message);
    this.name = code;
  }
}

/** The local account. Every ARN of the local run is built from these two. */
export const localAccount = '000000000000';
export const localRegion = 'eu-west-1';
