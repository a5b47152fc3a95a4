import { randomUUID } from 'node:crypto';
import { AwsError, localAccount, localRegion } from './engine';

/** An event as rules see it and targets get it. */
export interface BusEvent {
  readonly version: '0';
  readonly id: string;
  readonly 'detail-type': string;
  readonly source: string;
  readonly account: string;
  readonly time: string;
  readonly region: string;
  readonly resources: readonly string[];
  readonly detail: unknown;
}

const members = new Set(['Time', 'Source', 'Resources', 'DetailType', 'Detail', 'EventBusName', 'TraceHeader']);
const mostBytes = 1024 * 1024;

/** Checks what concerns the request as a whole. */
export function checkEntries(entries: unknown): readonly any[] {
  if (!Array.isArray(entries) || entries.length < 1 || entries.length > 10) {
    const least =
      Array.isArray(entries) && entries.length > 10 ? 'less than or equal to 10' : 'greater than or equal to 1';
    throw validation(
      `1 validation error detected: Value at 'entries' failed to satisfy constraint: Member must have length ${least}`,
    );
  }
  for (const entry of entries)
    for (const member of Object.keys(entry))
      if (!members.has(member))
        throw validation(`parameter ${member} of an entry is not modelled by the local EventBridge`);
  const bytes = entries.reduce((sum, entry) => sum + sizeOf(entry), 0);
  if (bytes >= mostBytes) throw validation('Total size of the entries in the request is over the limit.');
  return entries;
}

/** A size as AWS counts it (user guide, PutEvents entry size). */
export function sizeOf({ Time, Source = '', DetailType = '', Detail = '', Resources = [] }: any): number {
  const texts: string[] = [Source, DetailType, Detail, ...Resources];
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text), Time == null ? 0 : 14);
}

/** The event that an entry becomes, or what AWS says of an entry that becomes none. */
export function eventOf(
  entry: any,
  now: number,
): BusEvent | { readonly ErrorCode: string; readonly ErrorMessage: string } {
  const { Time, Source, DetailType, Detail, Resources } = entry;
  for (const [name, value] of Object.entries({ Source, DetailType, Detail }))
    if (typeof value !== 'string' || value === '')
      return refused('InvalidArgument', `Parameter ${name} is not valid. Reason: ${name} is a required argument.`);
  if (/^aws\./i.test(Source)) return refused('NotAuthorizedForSourceException', `Not authorized for the source.`);
  const detail = objectIn(Detail);
  if (detail === undefined) return refused('MalformedDetail', 'Detail is malformed.');
  return {
    version: '0',
    id: randomUUID(),
    'detail-type': DetailType,
    source: Source,
    account: localAccount,
    // Whole seconds, as AWS has it.
    time: new Date(Math.floor(Time == null ? now / 1000 : Number(Time)) * 1000).toISOString().replace('.000Z', 'Z'),
    region: localRegion,
    resources: Resources ?? [],
    detail,
  };
}

function objectIn(text: string): unknown {
  try {
    const value = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function refused(ErrorCode: string, ErrorMessage: string) {
  return { ErrorCode, ErrorMessage };
}

function validation(message: string): AwsError {
  return new AwsError('ValidationException', message);
}
