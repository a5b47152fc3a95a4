import {
  type _Record,
  RejectedRecordsException,
  type TimestreamWriteClient,
  WriteRecordsCommand,
  type WriteRecordsCommandInput,
} from '@aws-sdk/client-timestream-write';
import { chunksOf } from '../../../base/runtime/chunks';
import { inParallel } from '../../../base/runtime/in-parallel';
import { type Point, tagValue } from '../points';
import type { TimeSeriesWriter } from '../time-series';
import { byFreshEndpoint } from './fresh-endpoint';
import { type Tables, tableOf } from './tables';

export interface LiveAnalyticsWriterOptions {
  readonly openClient: () => TimestreamWriteClient;
  readonly tables: Tables;
  /** Of the tables `sales` and `sources`; 0: for ever. */
  readonly salesRetentionDays: number;
  readonly itemsRetentionDays: number;
  /** For so long points are in the memory store. */
  readonly memoryHours: number;
  readonly now?: () => number;
}

type Measurement = Point['measurement'];

const recordsPerCall = 100;
const callsAtOnce = 8;
/** How often a point may meet a version that is not below its own; each time it is written above it. */
const attempts = 4;
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** Timestream takes no time that is further ahead. */
const futureMs = 15 * 60_000;
/** When what went into the magnetic store can be read, as AWS says. */
const magneticMs = 6 * hourMs;
/** When the hourly comparison with the lake has surely written what was ahead: its hour and the lake's delay go before. */
const comparedMs = 6 * hourMs;

/**
 * Timestream for LiveAnalytics. The later write of a point wins, as in InfluxDB: the clock makes its version, and a point
 * that meets a version not below its own (another clock was ahead) is written once more, above it. What lies before the
 * retention, or further ahead than Timestream takes, is counted, each by itself. Anything else that is refused is thrown and tried again.
 */
export function liveAnalyticsWriter(options: LiveAnalyticsWriterOptions): TimeSeriesWriter {
  const { openClient, tables, salesRetentionDays, itemsRetentionDays, memoryHours, now = Date.now } = options;
  const timestream = byFreshEndpoint(openClient);

  return {
    late: { afterMs: memoryHours * hourMs, withinMs: magneticMs },
    early: { afterMs: futureMs, withinMs: comparedMs },
    async write(points) {
      const startedMs = now();
      const taken = points.filter(({ timeNs }) => timeNs < BigInt(startedMs + futureMs) * 1_000_000n);
      const kept = taken.filter((point) => isKept(point, startedMs));
      let beyondRetention = taken.length - kept.length;
      await inParallel(callsOf(kept), callsAtOnce, async ([measurement, records]) => {
        const beyond = await writeRecords(measurement, records, startedMs, attempts);
        beyondRetention += beyond;
      });
      return { beyondRetention, ahead: points.length - taken.length };
    },
  };

  function isKept({ measurement, timeNs }: Point, nowMs: number): boolean {
    const days = measurement === 'items' ? itemsRetentionDays : salesRetentionDays;
    // Timestream knows no time before 1970.
    const oldestMs = days === 0 ? 0 : Math.max(0, nowMs - days * dayMs);
    return timeNs >= BigInt(oldestMs) * 1_000_000n;
  }

  /** Writes records of one table; answers how many of them lay beyond its retention after all. */
  async function writeRecords(
    measurement: Measurement,
    Records: readonly _Record[],
    Version: number,
    attemptsLeft: number,
  ): Promise<number> {
    const refused = await refusedOf(measurement, Records, Version);
    let beyondRetention = 0;
    let highest = Version;
    const again: _Record[] = [];
    for (const { RecordIndex, Reason = '', ExistingVersion } of refused) {
      // An equal version comes without its number.
      if (ExistingVersion !== undefined || /record version/.test(Reason)) {
        highest = Math.max(highest, ExistingVersion ?? 0);
        again.push(Records[RecordIndex!]!);
      } else if (/outside the time range/.test(Reason)) beyondRetention++;
      else throw new Error(`table ${tableOf(measurement, tables)} did not take all points: ${Reason.slice(0, 300)}`);
    }
    if (again.length === 0) return beyondRetention;
    if (attemptsLeft === 1)
      throw new Error(`table ${tableOf(measurement, tables)}: ${again.length} points met others ${attempts} times`);
    return beyondRetention + (await writeRecords(measurement, again, highest + 1, attemptsLeft - 1));
  }

  /** The records that were not taken; the others were. */
  async function refusedOf(measurement: Measurement, Records: readonly _Record[], Version: number) {
    try {
      const input: WriteRecordsCommandInput = {
        DatabaseName: tables.database,
        TableName: tableOf(measurement, tables),
        CommonAttributes: { MeasureName: measurement, MeasureValueType: 'MULTI', TimeUnit: 'NANOSECONDS', Version },
        Records: [...Records],
      };
      await timestream((client) => client.send(new WriteRecordsCommand(input)));
      return [];
    } catch (error) {
      if (error instanceof RejectedRecordsException && error.RejectedRecords !== undefined)
        return error.RejectedRecords;
      throw error;
    }
  }
}

/** What is written together. Of points in one place the last counts: a call with both would be refused. */
function* callsOf(points: readonly Point[]): Generator<[Measurement, _Record[]]> {
  const byMeasurement = new Map<Measurement, Map<string, Point>>();
  for (const point of points) {
    const { measurement, tags, timeNs } = point;
    const places = byMeasurement.get(measurement) ?? new Map<string, Point>();
    byMeasurement.set(measurement, places.set(JSON.stringify([Object.values(tags), String(timeNs)]), point));
  }
  for (const [measurement, places] of byMeasurement)
    for (const some of chunksOf(places.values(), { most: recordsPerCall })) yield [measurement, some.map(recordOf)];
}

function recordOf({ tags, fields, timeNs }: Point): _Record {
  return {
    Time: String(timeNs),
    Dimensions: Object.entries(tags).map(([Name, value]) => ({ Name, Value: tagValue(value) })),
    MeasureValues: Object.entries(fields).map(([Name, value]) => ({
      Name,
      Value: String(value),
      Type: typeof value === 'number' ? 'BIGINT' : 'VARCHAR',
    })),
  };
}
