import type { AttributeValue, Item } from './dynalite';

/** What a write costs, in write units: the table's part and each index's. */
export interface Units {
  readonly table: number;
  readonly indexes: Readonly<Record<string, number>>;
}

// An item is never changed, only replaced; and its size is asked for by each read and write of it.
const sizes = new WeakMap<Item, number>();

/** An item's size in bytes: names and values in UTF-8, numbers two digits a byte (developer guide, item sizes). */
export function itemBytes(item: Item): number {
  let bytes = sizes.get(item);
  if (bytes === undefined) {
    bytes = membersBytes(item);
    sizes.set(item, bytes);
  }
  return bytes;
}

function membersBytes(members: Readonly<Record<string, AttributeValue>>): number {
  let bytes = 0;
  for (const name in members) bytes += Buffer.byteLength(name) + valueBytes(members[name]!);
  return bytes;
}

/** One unit for each started KB; an absent item counts as the smallest. */
export function writeUnits(item: Item | undefined): number {
  return item === undefined ? 1 : Math.max(1, Math.ceil(itemBytes(item) / 1024));
}

/** One unit for each started 4 KB, half of it when the read need not be consistent; an absent item is the smallest. */
export function readUnits(item: Item | undefined, consistent: boolean): number {
  const units = item === undefined ? 1 : Math.max(1, Math.ceil(itemBytes(item) / 4096));
  return consistent ? units : units / 2;
}

export function total({ table, indexes }: Units): number {
  let units = table;
  for (const name in indexes) units += indexes[name]!;
  return units;
}

/** The sum of what several writes to one table cost. */
export function sum(parts: readonly Units[]): Units {
  const indexes: Record<string, number> = {};
  let table = 0;
  for (const part of parts) {
    table += part.table;
    for (const name in part.indexes) indexes[name] = (indexes[name] ?? 0) + part.indexes[name]!;
  }
  return { table, indexes };
}

/** The answer's ConsumedCapacity member, where ReturnConsumedCapacity asks for it. */
export function consumedCapacity(asked: unknown, tableName: string, units: Units): any {
  if (asked !== 'TOTAL' && asked !== 'INDEXES') return undefined;
  const answer = { TableName: tableName, CapacityUnits: total(units) };
  if (asked === 'TOTAL') return answer;
  const indexes = Object.entries(units.indexes).map(([name, used]) => [name, { CapacityUnits: used }]);
  return {
    ...answer,
    Table: { CapacityUnits: units.table },
    ...(indexes.length > 0 && { GlobalSecondaryIndexes: Object.fromEntries(indexes) }),
  };
}

function valueBytes(value: AttributeValue): number {
  for (const type in value) {
    const content = value[type];
    switch (type) {
      case 'S':
        return Buffer.byteLength(content);
      case 'N':
        return numberBytes(content);
      case 'B':
        return binaryBytes(content);
      case 'BOOL':
      case 'NULL':
        return 1;
      case 'SS':
        return content.reduce((bytes: number, text: string) => bytes + Buffer.byteLength(text), 0);
      case 'NS':
        return content.reduce((bytes: number, number: string) => bytes + numberBytes(number), 0);
      case 'BS':
        return content.reduce((bytes: number, binary: string) => bytes + binaryBytes(binary), 0);
      case 'L':
        return content.reduce((bytes: number, element: AttributeValue) => bytes + 1 + valueBytes(element), 3);
      case 'M':
        return 3 + Object.keys(content).length + membersBytes(content);
    }
  }
  return 0;
}

function numberBytes(number: string): number {
  const significant = number.replace(/^-/, '').replace('.', '').replace(/^0+/, '').replace(/0+$/, '').length;
  return Math.ceil(significant / 2) + 1 + (number.startsWith('-') ? 1 : 0);
}

function binaryBytes(base64: string): number {
  return (base64.length / 4) * 3 - (base64.endsWith('==') ? 2 : base64.endsWith('=') ? 1 : 0);
}
