import { optionalEnv } from './env';

type Fields = Readonly<Record<string, string | number | boolean | undefined>>;

/** One JSON object per line. Fields are named by the caller one by one: never a record, never an event. */
export const log = {
  info: (message: string, fields: Fields = {}): void => write({ level: 'INFO', message, ...fields }),
  warn: (message: string, fields: Fields = {}): void => write({ level: 'WARN', message, ...fields }),
  error: (message: string, fields: Fields = {}): void => write({ level: 'ERROR', message, ...fields }),
};

const functionName = optionalEnv('AWS_LAMBDA_FUNCTION_NAME') ?? 'unknown';

/**
 * Counts things in CloudWatch's embedded metric format, namespace Tillstream, by function. Zeros are written too, so
 * that an alarm can tell quiet from dead.
 */
export function countMetrics(counts: Readonly<Record<string, number>>): void {
  write({
    _aws: {
      Timestamp: Date.now(),
      CloudWatchMetrics: [
        {
          Namespace: 'Tillstream',
          Dimensions: [['FunctionName']],
          Metrics: Object.keys(counts).map((Name) => ({ Name, Unit: 'Count' })),
        },
      ],
    },
    FunctionName: functionName,
    ...counts,
  });
}

// Straight to stdout: the console would wrap the line, and a wrapped line is no metric.
function write(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
