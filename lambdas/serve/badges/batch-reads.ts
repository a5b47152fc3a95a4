import type { Change } from '../../base/domain/change';
import type { SourceName } from '../../base/domain/source-tables';
import { type BeatsTable, beatsIn } from './beats-table';
import { readTables } from './dynamo-calls';
import type { Epoch, Epochs } from './epochs';
import { onlineKey } from './lookup/online-items';
import { itemKey, itemsByPk } from './online-table';
import { type ReadAhead, rowsOf } from './row-applier';
import { type StateTable, stateKey, storedRows } from './state-table';
import type { BeatsItem } from './watermark';

export interface BatchReadsProps {
  readonly state: StateTable;
  readonly beats: BeatsTable;
  readonly epochs: Epochs;
}

export interface BatchQuestion {
  readonly databases: readonly SourceName[];
  /** Those that the batch has something of. */
  readonly arrived: readonly SourceName[];
  readonly changes: readonly Change[];
  /** Partition keys of online items to be read ahead. */
  readonly items: readonly string[];
}

export interface BatchAnswer {
  readonly beats: ReadonlyMap<SourceName, BeatsItem>;
  /** Of the databases that the batch has something of, oldest first. */
  readonly epochs: ReadonlyMap<SourceName, readonly Epoch[]>;
  readonly ahead: ReadAhead;
}

/**
 * Reads all that a batch must know before it writes: one call of three tables for every hundred keys, and a query for each
 * database whose epochs are not known or have moved on.
 */
export async function readForBatch(
  { state, beats, epochs }: BatchReadsProps,
  { databases, arrived, changes, items }: BatchQuestion,
): Promise<BatchAnswer> {
  const { online } = beats;
  const pks = new Set([...databases.map(onlineKey.beats), ...items]);
  // Asked once: a list that gets too old meanwhile is still as good as this read finds it.
  const nextKeys = new Map(arrived.map((database) => [database, epochs.nextKey(database)]));
  const unknown = arrived.filter((database) => nextKeys.get(database) === undefined);
  const [tables] = await Promise.all([
    readTables(
      state.dynamoDb,
      new Map([
        [state.props.tableName, rowsOf(changes).map(stateKey)],
        [online.tableName, [...pks].map(itemKey)],
        [epochs.tableName, [...nextKeys.values()].filter((key) => key !== undefined)],
      ]),
    ),
    ...unknown.map((database) => epochs.of(database)),
  ]);
  const begun = new Set(tables.get(epochs.tableName)!.map(({ database }) => database!.S));
  await Promise.all(arrived.filter((database) => begun.has(database)).map((database) => epochs.of(database)));
  const onlineItems = itemsByPk(tables.get(online.tableName)!);
  return {
    beats: beatsIn(onlineItems, databases),
    epochs: new Map(arrived.map((database) => [database, epochs.known(database)])),
    ahead: { stored: storedRows(tables.get(state.props.tableName)!), online: onlineItems },
  };
}
