import { AwsError } from './engine';

/** A table that is read, and what its parts are called in the records. */
export interface TablePlan {
  /** Its own names. */
  readonly schema: string;
  readonly table: string;
  /** In the records. */
  readonly targetSchema: string;
  readonly targetTable: string;
  /** By a column's own name; undefined: it is dropped. A column without a rule keeps its name. */
  targetColumn(column: string): string | undefined;
}

/**
 * Reads DMS's table mappings: explicit selections, at most one transformation per object, and one object mapping per
 * table with the primary key as partition key. Anything else is refused.
 */
export function tablePlans(mappings: any): TablePlan[] {
  const rules: any[] = mappings?.rules ?? [];
  const ids = rules.map((rule) => rule['rule-id']);
  if (new Set(ids).size !== ids.length) throw refused('two rules have the same rule-id');

  const selected: { schema: string; table: string }[] = [];
  const schemas = new Map<string, string>();
  const tables = new Map<string, string>();
  const columns = new Map<string, string | undefined>();
  const mapped = new Set<string>();
  const once = <Value>(map: Map<string, Value>, key: string, value: Value): void => {
    if (map.has(key)) throw refused(`more than one transformation of ${key}: DMS applies only one`);
    map.set(key, value);
  };

  for (const rule of rules) {
    const { 'object-locator': locator = {}, 'rule-action': action, 'rule-target': target } = rule;
    const { 'schema-name': schema, 'table-name': table, 'column-name': column } = locator;
    if ([schema, table, column].some((name) => String(name ?? '').includes('%')))
      throw refused(`rule ${rule['rule-name']}: wildcards are not modelled locally`);
    const name = [schema, table, column].filter((part) => part !== undefined).join('.');
    switch (`${rule['rule-type']} ${target ?? ''} ${action}`) {
      case 'selection  include':
      case 'selection  explicit':
        if ((rule.filters ?? []).length > 0)
          throw refused(`rule ${rule['rule-name']}: filters are not modelled locally`);
        selected.push({ schema, table });
        break;
      case 'transformation schema rename':
        once(schemas, name, rule.value);
        break;
      case 'transformation table rename':
        once(tables, name, rule.value);
        break;
      case 'transformation column rename':
        once(columns, name, rule.value);
        break;
      case 'transformation column remove-column':
        once(columns, name, undefined);
        break;
      case 'object-mapping  map-record-to-record': {
        const parameters = rule['mapping-parameters'] ?? {};
        const surplus = Object.keys(parameters).find((parameter) => parameter !== 'partition-key-type');
        if (surplus !== undefined || parameters['partition-key-type'] !== 'primary-key')
          throw refused(`rule ${rule['rule-name']}: only the partition-key-type 'primary-key' is modelled locally`);
        mapped.add(name);
        break;
      }
      default:
        throw refused(
          `rule ${rule['rule-name']}: ${rule['rule-type']} ${target ?? ''} ${action} is not modelled locally`,
        );
    }
  }

  return selected.map(({ schema, table }) => {
    const name = `${schema}.${table}`;
    // Without one the changes of a table would go by the table's name, to a single shard.
    if (!mapped.has(name)) throw refused(`table ${name} has no object mapping`);
    return {
      schema,
      table,
      targetSchema: schemas.get(schema) ?? schema,
      targetTable: tables.get(name) ?? table,
      targetColumn: (column) => {
        const key = `${name}.${column}`;
        return columns.has(key) ? columns.get(key) : column;
      },
    };
  });
}

function refused(reason: string): AwsError {
  return new AwsError('InvalidParameterValueException', `table mappings: ${reason}`);
}
