import queryAction from 'dynalite/actions/query';
import scanAction from 'dynalite/actions/scan';
import updateItemAction from 'dynalite/actions/updateItem';
import db from 'dynalite/db';
import validations from 'dynalite/validations';
import createTableValidation from 'dynalite/validations/createTable';
import queryValidation from 'dynalite/validations/query';
import scanValidation from 'dynalite/validations/scan';
import { AwsError } from '../engine';

/**
 * The parts of dynalite that are used, and the only file that knows it. Its expression parsers, its validation with AWS's
 * own words, its key order and its Query and Scan are kept; its store and its locks are not: they are asynchronous and
 * cost most of its time, while a write here is one synchronous step, which is what makes transactions simple.
 */
export type AttributeValue = Record<string, any>;
export type Item = Record<string, AttributeValue>;

/** A table's description, in the shape that DescribeTable answers and dynalite reads. */
export interface TableDescription {
  TableName: string;
  KeySchema: { AttributeName: string; KeyType: string }[];
  AttributeDefinitions: { AttributeName: string; AttributeType: string }[];
  GlobalSecondaryIndexes?: IndexDescription[];
  LocalSecondaryIndexes?: IndexDescription[];
  [member: string]: any;
}

export interface IndexDescription {
  IndexName: string;
  KeySchema: TableDescription['KeySchema'];
  Projection: { ProjectionType: string; NonKeyAttributes?: string[] };
  [member: string]: any;
}

/** Bounds of a read in key order, as dynalite gives them to LevelDB; a negative limit is none. */
export interface Range {
  readonly gt?: string;
  readonly gte?: string;
  readonly lt?: string;
  readonly lte?: string;
  readonly reverse?: boolean;
  readonly limit?: number;
}

/** The largest item, attribute names included. */
export const maxItemBytes = 400 * 1024;

export function validationException(message: string): AwsError {
  return new AwsError('ValidationException', message);
}

/** An operation, a parameter or a form that AWS knows and this engine does not: said aloud, never ignored. */
export function notModelled(what: string): AwsError {
  return validationException(`${what} is not modelled by the local DynamoDB`);
}

/** dynalite's errors carry the answer's body: `{ __type: 'namespace#Code', message }`. */
export function asAwsError(error: any): AwsError {
  if (error instanceof AwsError || error?.body === undefined) return error;
  const { __type, message, Message, ...fields } = error.body;
  return new AwsError(String(__type).split('#').pop()!, message ?? Message ?? '', error.statusCode, fields);
}

/** Throws what one of dynalite's checks has found: an error, a message or nothing. */
export function refuse(found: unknown): void {
  if (typeof found === 'string') throw validationException(found);
  if (found != null) throw asAwsError(found);
}

/** Copies an operation's input, checks it and parses its expressions, all as dynalite does. */
export function checkedInput(operation: 'CreateTable' | 'Query' | 'Scan', input: any): any {
  const { types, custom } = { CreateTable: createTableValidation, Query: queryValidation, Scan: scanValidation }[
    operation
  ];
  try {
    const data = validations.checkTypes({ ...input }, types);
    validations.checkValidations(data, types, custom, { options: { maxItemSize: maxItemBytes } });
    return data;
  } catch (error) {
    throw asAwsError(error);
  }
}

/** Every member that dynalite reads of an operation's input. */
export function knownMembers(operation: 'Query' | 'Scan'): string[] {
  return Object.keys((operation === 'Query' ? queryValidation : scanValidation).types);
}

/** A type error as AWS words it, or the value copied with its numbers in canonical form. */
export function checkedValue(value: unknown): AttributeValue {
  const types = { Value: 'AttrStruct<ValueStruct>' };
  try {
    const { Value: copy } = validations.checkTypes({ Value: structuredClone(value) }, types);
    if (copy === undefined)
      throw validationException(
        'Supplied AttributeValue is empty, must contain exactly one of the supported datatypes',
      );
    refuse(validations.validateAttributeValue(copy));
    return copy;
  } catch (error) {
    throw asAwsError(error);
  }
}

/** Parses the expressions of `data` into its members `_updates`, `_condition` and `_projection`. */
export function parseExpressions(data: any): void {
  refuse(validations.validateExpressions(data));
}

export function checkExpressionMembers(data: any, expressions: string[]): void {
  refuse(validations.validateExpressionParams(data, expressions, []));
}

export function checkItemSchema(item: Item, table: TableDescription): void {
  refuse(db.validateItem(item, table));
}

export function checkKeySchema(key: Item, table: TableDescription): void {
  refuse(db.validateKey(key, table));
}

export function checkProjection(projection: any, table: TableDescription): void {
  refuse(db.validateKeyPaths(projection.nestedPaths, table));
}

/** The text under which an item lies: hash prefix, partition key and sort key in DynamoDB's order. */
export function storageKey(item: Item, table: TableDescription): string {
  return db.createKey(item, table);
}

/** The text under which an index entry lies. dynalite's own ends in 24 bits of hash, so the table's key makes it unique. */
export function indexKey(item: Item, table: TableDescription, index: IndexDescription, itemKey: string): string {
  return `${db.createIndexKey(item, table, index.KeySchema)}/${itemKey}`;
}

export function matches(condition: any, item: Item | undefined): boolean {
  return db.matchesExprFilter(item ?? {}, condition.expression);
}

export function equal(left: AttributeValue | undefined, right: AttributeValue): boolean {
  return left !== undefined && db.compare('=', left, [right]);
}

export function projected(projection: any, item: Item): Item {
  return db.mapPaths(projection.paths, item);
}

/** The item after an update, and what its ReturnValues ask for. Neither `key` nor `old` is changed. */
export function updated(
  table: TableDescription,
  input: { readonly Key: Item; readonly ReturnValues?: string; readonly _updates?: any },
  old: Item | undefined,
): { readonly item: Item; readonly attributes: Item | undefined } {
  let item: Item = {};
  let attributes: Item | undefined;
  const nowhere = {
    put: (_key: string, _value: unknown, done: () => void) => done(),
    del: (_key: string, done: () => void) => done(),
  };
  const store = {
    options: { maxItemSize: maxItemBytes },
    getTable: (_name: string, found: any) => found(null, table),
    getIndexDb: () => nowhere,
    getItemDb: () => ({
      lock: (_key: string, locked: any) => locked((done: any) => done),
      get: (_key: string, found: any) => found(null, old),
      put: (_key: string, value: Item, done: any) => {
        item = value;
        done();
      },
    }),
  };
  updateItemAction(store, { ...input, Key: { ...input.Key } }, (error: any, answer: any) => {
    if (error) throw asAwsError(error);
    attributes = answer.Attributes;
  });
  return { item, attributes };
}

/** Runs dynalite's Query or Scan over `read`, which gives the values of a range of the table or of an index. */
export function read(
  operation: 'Query' | 'Scan',
  table: TableDescription,
  data: any,
  stream: (range: Range, index: string | undefined) => unknown,
): Promise<any> {
  const over = (index: string | undefined) => ({ createValueStream: (range: Range) => stream(range, index) });
  const store = {
    getTable: (_name: string, found: any) => found(null, table),
    getItemDb: () => over(undefined),
    getIndexDb: (_kind: string, _table: string, index: string) => over(index),
  };
  const action = operation === 'Query' ? queryAction : scanAction;
  return new Promise((resolve, reject) => {
    action(store, data, (error: any, answer: any) => (error ? reject(asAwsError(error)) : resolve(answer)));
  });
}
