import { DuckDBInstance } from '@duckdb/node-api';

/** A column of a Parquet file, typed for DuckDB. */
export interface ParquetColumn {
  readonly name: string;
  /** `VARCHAR`, `BIGINT`, `DECIMAL(12,2)`, ... */
  readonly type: string;
}

/** Parquet files, written and read by DuckDB. */
export interface Parquet {
  /** Turns a file of one JSON object a line into a Parquet file. Fields that no column names are dropped. */
  write(json: string, columns: readonly ParquetColumn[], parquet: string): Promise<void>;
  /** The rows of a Parquet file as JSON objects, one a line, in pieces. */
  texts(parquet: string): AsyncIterable<string>;
  close(): void;
}

/** Starts a DuckDB for Parquet files. It takes 40 ms, so keep it where there are many. */
export async function openParquet(): Promise<Parquet> {
  const instance = await DuckDBInstance.create(':memory:', {
    // The machine has two cores, and the functions need one of them.
    threads: '1',
    memory_limit: '1GB',
    // A missing extension must fail at once, not try the network.
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  });
  const connection = await instance.connect();
  // JSON and Parquet are built in; times must not depend on the machine's zone.
  return {
    async write(json, columns, parquet) {
      const types = columns.map(({ name, type }) => `${literal(name)}: ${literal(type)}`).join(', ');
      // The default for one object is 16 MB; a record of Firehose has at most 1,000 KiB.
      const source = `read_json(${literal(json)}, format = 'newline_delimited', records = 'true', columns = {${types}})`;
      await connection.run(`COPY (FROM ${source}) TO ${literal(parquet)} (FORMAT parquet, COMPRESSION snappy)`);
    },
    async *texts(parquet) {
      const result = await connection.stream(
        `SELECT to_json(rows)::VARCHAR FROM read_parquet(${literal(parquet)}, hive_partitioning = false) AS rows`,
      );
      for (let chunk = await result.fetchChunk(); chunk && chunk.rowCount > 0; chunk = await result.fetchChunk()) {
        yield chunk.getColumnValues(0).join('\n');
      }
    },
    close() {
      connection.closeSync();
      instance.closeSync();
    },
  };
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
