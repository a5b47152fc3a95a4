import { AwsError } from '../engine';
import { sameItem } from './attribute-value';
import { type Units, writeUnits } from './capacity';
import {
  checkItemSchema,
  checkKeySchema,
  type IndexDescription,
  type Item,
  indexKey,
  type Range,
  storageKey,
  type TableDescription,
} from './dynalite';
import type { Journal } from './journal';
import { PartitionLimits } from './partition-limits';
import { SortedMap } from './sorted-map';
import type { StreamRecord } from './stream-shard';
import { TableStream } from './table-stream';

/** What is kept of a table beside its items. */
export interface TableSettings {
  readonly description: TableDescription;
  /** The attribute that holds the time of expiry, while TTL is enabled. */
  timeToLive?: string;
  pointInTimeRecovery?: boolean;
  tags: Record<string, string>;
}

const noIndexUnits: Readonly<Record<string, number>> = {};

/**
 * One table: items and index entries in key order. Every method is synchronous, so nothing else happens between a read and
 * the write that depends on it, and no reader ever sees half of a change.
 */
export class Table {
  readonly name: string;
  readonly hashKey: string;
  readonly rangeKey: string | undefined;
  /** Storage keys of items that a running transaction holds. */
  readonly held = new Set<string>();
  /** What its partitions take, where that is enforced. */
  readonly limits: PartitionLimits | undefined;
  readonly #items = new SortedMap<Item>();
  readonly #indexes: readonly Index[];
  #stream: TableStream | undefined;

  constructor(
    readonly settings: TableSettings,
    private readonly journal: Journal | undefined,
    private readonly now: () => number,
    limited: boolean,
  ) {
    this.limits = limited ? new PartitionLimits(now) : undefined;
    const { TableName, KeySchema, GlobalSecondaryIndexes = [], LocalSecondaryIndexes = [] } = settings.description;
    this.name = TableName;
    this.hashKey = KeySchema[0]!.AttributeName;
    this.rangeKey = KeySchema[1]?.AttributeName;
    this.#indexes = [...GlobalSecondaryIndexes, ...LocalSecondaryIndexes].map(
      (index) => new Index(settings.description, index),
    );
    if (settings.description.StreamSpecification !== undefined) this.openStream();
  }

  /** Its stream, where its description tells of one. */
  get stream(): TableStream | undefined {
    return this.#stream;
  }

  openStream(): void {
    this.#stream = new TableStream(this.description, this.journal, this.now);
  }

  get description(): TableDescription {
    return this.settings.description;
  }

  get size(): number {
    return this.#items.size;
  }

  keyAttributes(): string[] {
    return this.rangeKey === undefined ? [this.hashKey] : [this.hashKey, this.rangeKey];
  }

  /** Where an item with these key attributes lies; refuses what does not fit the table's schema. */
  keyOf(key: Item): string {
    return this.#place(key, checkKeySchema);
  }

  /** The same for a whole item, with the attributes that index keys are made of. */
  keyOfItem(item: Item): string {
    return this.#place(item, checkItemSchema);
  }

  get(key: string): Item | undefined {
    return this.#items.get(key);
  }

  entries(): IterableIterator<[string, Item]> {
    return this.#items.entries();
  }

  #place(item: Item, check: (item: Item, table: TableDescription) => void): string {
    try {
      check(item, this.description);
    } catch (error) {
      throw new SchemaMismatch('ValidationException', (error as Error).message);
    }
    return storageKey(item, this.description);
  }

  /**
   * Puts `next` in the place of `old`, or deletes it, with its index entries and its record in the stream; answers what
   * AWS bills for it. `by` is the service, when it acts on its own account.
   */
  write(key: string, old: Item | undefined, next: Item | undefined, by?: StreamRecord['userIdentity']): Units {
    let indexes = noIndexUnits;
    for (const index of this.#indexes) {
      const units = index.write(key, old, next);
      if (units > 0) indexes = { ...indexes, [index.name]: units };
    }
    if (next !== undefined) this.#items.set(key, next);
    else if (old !== undefined) this.#items.delete(key);
    if (next !== undefined) this.journal?.record({ type: 'put', key: `${itemPrefix(this.name)}${key}`, value: next });
    else if (old !== undefined) this.journal?.record({ type: 'del', key: `${itemPrefix(this.name)}${key}` });
    // A write that changes nothing is billed, but no change.
    if (this.#stream !== undefined && !sameItem(old, next)) this.#stream.record(key, old, next, by);
    return { table: Math.max(writeUnits(old), writeUnits(next)), indexes };
  }

  /** Takes an item as it was found on disk. */
  load(key: string, item: Item): void {
    for (const index of this.#indexes) index.write(key, undefined, item);
    this.#items.set(key, item);
  }

  read(range: Range, indexName: string | undefined): Item[] {
    if (indexName === undefined) return this.#items.values(range);
    return this.#indexes.find(({ name }) => name === indexName)!.read(range);
  }

  isLocalIndex(indexName: string): boolean {
    return this.description.LocalSecondaryIndexes?.some(({ IndexName }) => IndexName === indexName) ?? false;
  }

  /** Writes the table's settings to disk. */
  saveSettings(): void {
    this.journal?.record({ type: 'put', key: `${settingsPrefix}${this.name}`, value: this.settings });
  }

  /** Deletes the table from disk. */
  drop(): void {
    this.journal?.record({ type: 'del', key: `${settingsPrefix}${this.name}` });
    for (const [key] of this.#items.entries())
      this.journal?.record({ type: 'del', key: `${itemPrefix(this.name)}${key}` });
    this.#stream?.drop();
  }
}

/** A key or an item that does not fit its table's schema: the one error of the request that a transaction reports as a reason. */
export class SchemaMismatch extends AwsError {}

export const settingsPrefix = 'table~';

export function itemPrefix(tableName: string): string {
  return `item-${tableName}~`;
}

class Index {
  readonly name: string;
  readonly #entries = new SortedMap<Item>();
  readonly #keyAttributes: readonly string[];
  /** The attributes that an entry holds; undefined for all. */
  readonly #projected: readonly string[] | undefined;

  constructor(
    private readonly table: TableDescription,
    private readonly index: IndexDescription,
  ) {
    this.name = index.IndexName;
    this.#keyAttributes = index.KeySchema.map(({ AttributeName }) => AttributeName);
    const { ProjectionType, NonKeyAttributes = [] } = index.Projection;
    const keys = [...this.#keyAttributes, ...table.KeySchema.map(({ AttributeName }) => AttributeName)];
    this.#projected = ProjectionType === 'ALL' ? undefined : [...new Set([...keys, ...NonKeyAttributes])];
  }

  /** Units: one write for an entry that comes, goes or changes, two for one that moves, none for one that stays as it is. */
  write(itemKey: string, oldItem: Item | undefined, nextItem: Item | undefined): number {
    const old = this.#entryOf(oldItem);
    const next = this.#entryOf(nextItem);
    const oldKey = old && indexKey(old, this.table, this.index, itemKey);
    const nextKey = next && indexKey(next, this.table, this.index, itemKey);
    if (oldKey !== undefined && oldKey !== nextKey) this.#entries.delete(oldKey);
    if (nextKey !== undefined) this.#entries.set(nextKey, next!);

    if (old === undefined && next === undefined) return 0;
    if (old === undefined || next === undefined) return writeUnits(old ?? next);
    if (oldKey !== nextKey) return writeUnits(old) + writeUnits(next);
    return sameItem(old, next) ? 0 : Math.max(writeUnits(old), writeUnits(next));
  }

  read(range: Range): Item[] {
    // dynalite continues after its own, shorter key of the last entry: everything that begins with it has been read.
    return this.#entries.values(range.gt === undefined ? range : { ...range, gt: `${range.gt}~` });
  }

  #entryOf(item: Item | undefined): Item | undefined {
    if (item === undefined || this.#keyAttributes.some((attribute) => item[attribute] === undefined)) return undefined;
    if (this.#projected === undefined) return item;
    const entry: Item = {};
    for (const attribute of this.#projected) {
      const value = item[attribute];
      if (value !== undefined) entry[attribute] = value;
    }
    return entry;
  }
}
