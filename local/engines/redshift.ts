import type { PostgresServer } from './postgres';
import { type Lake, ManifestCopy } from './redshift-copy';
import { RedshiftData } from './redshift-data';
import { JobRunner } from './redshift-job';
import { RedshiftServerless } from './redshift-serverless';

export interface Redshift {
  /** The Data API; `callAs` tells it which role calls. */
  readonly data: RedshiftData;
  /** Namespaces and workgroups, which the provisioner creates from the template. */
  readonly serverless: RedshiftServerless;
  /** The PostgreSQL URL of the first namespace's database, for a person's own client. */
  warehouseUrl(): string;
}

/** Redshift Serverless on PostgreSQL, with COPY from the files of the local S3. The server's owner stops it, after closing these. */
export function openRedshift({ postgres, ...lake }: { readonly postgres: PostgresServer } & Lake): Redshift {
  const serverless = new RedshiftServerless(postgres);
  const data = new RedshiftData(serverless, new JobRunner(postgres, new ManifestCopy(lake)));
  return {
    data,
    serverless,
    warehouseUrl: () => {
      const [database] = serverless.databases();
      if (database === undefined) throw new Error('there is no warehouse: no namespace has been created');
      return postgres.url(database);
    },
  };
}
