import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import type { ColumnValue } from '../../base/domain/source-columns';

export type Item = Record<string, AttributeValue>;

/** A plain value as DynamoDB keeps it. Null stays null: an attribute that is set to it reads as missing. */
export function attributeOf(value: ColumnValue): AttributeValue {
  if (value === null) return { NULL: true };
  return typeof value === 'number' ? { N: String(value) } : { S: value };
}

export function attributesOf(values: Readonly<Record<string, ColumnValue>>): Item {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, attributeOf(value)]));
}

export function plainValue(attribute: AttributeValue | undefined): ColumnValue {
  if (attribute?.N !== undefined) return Number(attribute.N);
  return attribute?.S ?? null;
}

export function plainValues(item: Readonly<Item> | undefined): Record<string, ColumnValue> {
  return Object.fromEntries(Object.entries(item ?? {}).map(([name, attribute]) => [name, plainValue(attribute)]));
}
