/** A row as JSON, and what packing must know of it. */
export interface PackableRow {
  /** Rows of one record share their date, so that a record belongs to one partition. */
  readonly date: string;
  readonly json: string;
  /** Number of what the row was made from, for example of a sale in its batch. */
  readonly origin: number;
}

/** Rows of one date as JSON lines: one record of a delivery stream. */
export interface PackedRecord {
  readonly date: string;
  readonly text: string;
  readonly bytes: number;
  readonly rows: number;
  /** Origins that have rows in here, in ascending order when the rows were. */
  readonly origins: readonly number[];
}

/** Firehose takes records of at most 1,000 KiB... */
export const maximumRecordBytes = 1_000 * 1_024;
/** ...and takes at most 500 JSON objects out of one (Firehose guide, "Apply dynamic partitioning to aggregated data"). */
export const maximumRecordRows = 500;

/**
 * Packs rows into as few records as the limits allow, since Firehose bills every record as a multiple of 5 KB. Each row is
 * in exactly one record; the rows of a sale may be spread over several. Holds one open record per date and no more: a
 * batch of long sales with long notes is hundreds of megabytes of rows.
 */
export function* packRows(rows: Iterable<PackableRow>): Generator<PackedRecord> {
  const open = new Map<string, { lines: string[]; bytes: number; origins: Set<number> }>();
  for (const { date, json, origin } of rows) {
    const line = `${json}\n`;
    const bytes = Buffer.byteLength(line);
    let record = open.get(date);
    if (
      record !== undefined &&
      (record.lines.length === maximumRecordRows || record.bytes + bytes > maximumRecordBytes)
    ) {
      yield close(date, record);
      record = undefined;
    }
    record ??= { lines: [], bytes: 0, origins: new Set() };
    open.set(date, record);
    record.lines.push(line);
    record.bytes += bytes;
    record.origins.add(origin);
  }
  for (const [date, record] of open) yield close(date, record);

  function close(date: string, { lines, bytes, origins }: { lines: string[]; bytes: number; origins: Set<number> }) {
    return { date, text: lines.join(''), bytes, rows: lines.length, origins: [...origins] };
  }
}
