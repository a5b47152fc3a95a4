import type { FieldDef } from 'pg';

/** A result as the Data API keeps it. */
export interface StatementResult {
  readonly columns: any[];
  readonly records: any[][];
  readonly bytes: number;
}

interface TypeShape {
  readonly name: string;
  readonly toField: (text: string) => any;
}

const toText = (text: string) => ({ stringValue: text });
const toLong = (text: string) => ({ longValue: Number(text) });
const toDouble = (text: string) => ({ doubleValue: Number(text) });

/** PostgreSQL's type ids: how Redshift calls the type and which member of a field carries it. */
const types: Readonly<Record<number, TypeShape>> = {
  16: { name: 'bool', toField: (text) => ({ booleanValue: text === 't' }) },
  20: { name: 'int8', toField: toLong },
  21: { name: 'int2', toField: toLong },
  23: { name: 'int4', toField: toLong },
  26: { name: 'oid', toField: toLong },
  700: { name: 'float4', toField: toDouble },
  701: { name: 'float8', toField: toDouble },
  1042: { name: 'bpchar', toField: toText },
  1082: { name: 'date', toField: toText },
  1114: { name: 'timestamp', toField: toText },
  1184: { name: 'timestamptz', toField: toText },
  1700: { name: 'numeric', toField: toText },
};
const otherType: TypeShape = { name: 'varchar', toField: toText };

/** Leaves every value as the text that PostgreSQL sent: NUMERIC must not pass through a float. */
export const unparsed = { getTypeParser: () => (text: string) => text };

/** Turns a query's answer into typed fields. */
export function toResult(fields: readonly FieldDef[], rows: readonly (readonly (string | null)[])[]): StatementResult {
  const shapes = fields.map(({ dataTypeID }) => types[dataTypeID] ?? otherType);
  let bytes = 0;
  const records = rows.map((row) =>
    row.map((value, at) => {
      if (value === null) return { isNull: true };
      bytes += value.length;
      return shapes[at]!.toField(value);
    }),
  );
  const columns = fields.map(({ name, dataTypeModifier, dataTypeID }, at) => {
    const isNumeric = dataTypeID === 1700 && dataTypeModifier >= 4;
    const precision = isNumeric ? (dataTypeModifier - 4) >> 16 : dataTypeModifier >= 4 ? dataTypeModifier - 4 : 0;
    return {
      name,
      label: name,
      typeName: shapes[at]!.name,
      nullable: 1,
      precision,
      scale: isNumeric ? (dataTypeModifier - 4) & 0xffff : 0,
      length: 0,
      isSigned: [20, 21, 23, 700, 701, 1700].includes(dataTypeID),
      isCaseSensitive: shapes[at] === otherType,
      isCurrency: false,
    };
  });
  return { columns, records, bytes };
}
