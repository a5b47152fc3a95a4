import { AwsError, type Engine, localAccount } from './engine';

/** A column as Glue holds it. */
export interface GlueColumn {
  readonly Name: string;
  readonly Type: string;
  readonly Comment?: string;
}

/** A table as Glue answers it, with the members that readers here use. */
export interface GlueTable {
  readonly Name: string;
  readonly DatabaseName: string;
  readonly StorageDescriptor: {
    readonly Columns: readonly GlueColumn[];
    readonly Location?: string;
    readonly [member: string]: unknown;
  };
  readonly PartitionKeys: readonly GlueColumn[];
  readonly Parameters: Readonly<Record<string, string>>;
  readonly VersionId: string;
  readonly [member: string]: unknown;
}

/** Glue's Data Catalog in memory: it is provisioned again from the template with every start. */
export interface GlueEngine extends Engine {
  readonly service: 'glue';
  /** A table by name. Throws EntityNotFoundException if there is none. */
  table(database: string, name: string): GlueTable;
}

const databaseMembers = ['Name', 'Description', 'LocationUri', 'Parameters'];
const tableMembers = [
  'Name',
  'Description',
  'Owner',
  'Retention',
  'StorageDescriptor',
  'PartitionKeys',
  'TableType',
  'ViewExpandedText',
  'ViewOriginalText',
  'Parameters',
];

/** Starts an empty catalog. */
export async function openGlue(): Promise<GlueEngine> {
  const databases = new Map<string, { readonly Name: string; readonly [member: string]: unknown }>();
  const tables = new Map<string, GlueTable>();

  function database(name: string) {
    const found = databases.get(folded(name));
    if (found === undefined) throw new AwsError('EntityNotFoundException', `Database ${name} not found.`);
    return found;
  }

  function table(databaseName: string, name: string): GlueTable {
    database(databaseName);
    const found = tables.get(`${folded(databaseName)}.${folded(name)}`);
    if (found === undefined) throw new AwsError('EntityNotFoundException', `Table ${name} not found.`);
    return found;
  }

  const operations: Record<string, (input: any) => object> = {
    CreateDatabase({ DatabaseInput, ...rest }) {
      refuseOthers('CreateDatabase', rest, ['CatalogId', 'Tags']);
      refuseOthers('DatabaseInput', DatabaseInput, databaseMembers);
      const Name = folded(DatabaseInput.Name);
      if (databases.has(Name)) throw new AwsError('AlreadyExistsException', `Database ${Name} already exists.`);
      databases.set(Name, { ...DatabaseInput, Name, CatalogId: localAccount, CreateTime: Date.now() / 1000 });
      return {};
    },
    CreateTable({ DatabaseName, TableInput, ...rest }) {
      refuseOthers('CreateTable', rest, ['CatalogId']);
      refuseOthers('TableInput', TableInput, tableMembers);
      const Name = folded(TableInput.Name);
      const { Name: inDatabase } = database(DatabaseName);
      if (tables.has(`${inDatabase}.${Name}`)) throw new AwsError('AlreadyExistsException', 'Table already exists.');
      const now = Date.now() / 1000;
      tables.set(`${inDatabase}.${Name}`, {
        PartitionKeys: [],
        Parameters: {},
        ...TableInput,
        StorageDescriptor: { Columns: [], ...TableInput.StorageDescriptor },
        Name,
        DatabaseName: inDatabase,
        CatalogId: localAccount,
        CreateTime: now,
        UpdateTime: now,
        VersionId: '0',
      });
      return {};
    },
    UpdateTable({ DatabaseName, TableInput, ...rest }) {
      refuseOthers('UpdateTable', rest, ['CatalogId']);
      refuseOthers('TableInput', TableInput, tableMembers);
      const { Name, DatabaseName: inDatabase, CreateTime, VersionId } = table(DatabaseName, TableInput.Name);
      tables.set(`${inDatabase}.${Name}`, {
        PartitionKeys: [],
        Parameters: {},
        ...TableInput,
        StorageDescriptor: { Columns: [], ...TableInput.StorageDescriptor },
        Name,
        DatabaseName: inDatabase,
        CatalogId: localAccount,
        CreateTime,
        UpdateTime: Date.now() / 1000,
        VersionId: String(Number(VersionId) + 1),
      });
      return {};
    },
    GetDatabase: ({ Name }) => ({ Database: database(Name) }),
    GetDatabases: () => ({ DatabaseList: [...databases.values()] }),
    GetTable: ({ DatabaseName, Name }) => ({ Table: table(DatabaseName, Name) }),
    GetTables({ DatabaseName }) {
      const { Name } = database(DatabaseName);
      return { TableList: [...tables.values()].filter((candidate) => candidate.DatabaseName === Name) };
    },
    GetTableVersions({ DatabaseName, TableName }) {
      const Table = table(DatabaseName, TableName);
      return { TableVersions: [{ Table, VersionId: Table.VersionId }] };
    },
  };

  return {
    service: 'glue',
    table,
    async call(operation, input) {
      const run = Object.hasOwn(operations, operation) ? operations[operation] : undefined;
      if (run === undefined) {
        throw new AwsError('UnknownOperationException', `glue ${operation} is not modelled locally`);
      }
      return run(input);
    },
    async *contents() {
      for (const [name, value] of [...databases, ...tables])
        yield { where: `glue ${name}`, text: JSON.stringify(value) };
    },
    async close() {},
  };
}

/** Glue keeps names in lower case. */
function folded(name: unknown): string {
  if (typeof name !== 'string' || name === '') throw new AwsError('InvalidInputException', 'the name is missing');
  return name.toLowerCase();
}

function refuseOthers(where: string, given: object, allowed: readonly string[]): void {
  const surplus = Object.keys(given ?? {}).find((name) => !allowed.includes(name));
  if (surplus !== undefined) {
    throw new AwsError('InvalidInputException', `glue ${where} with ${surplus} is not modelled locally`);
  }
}
