import { ListObjectsV2Command, type S3Client } from '@aws-sdk/client-s3';
import { partitionColumn, rowTables } from '../../../base/domain/sale-rows';
import { type LakeFile, lakeFileOf } from './new-files';

/** The files of the lake's tables whose date is not before `from`; all of them without it. */
export async function listLake(s3: S3Client, bucketName: string, from: string | undefined): Promise<LakeFile[]> {
  const files: LakeFile[] = [];
  for (const { name } of rowTables) {
    const prefix = `${name}/${partitionColumn}=`;
    let next: string | undefined;
    do {
      const page = await s3.send(
        new ListObjectsV2Command({
          Bucket: bucketName,
          Prefix: prefix,
          // Dates sort as text, and a directory's files sort behind its own name.
          ...(from === undefined ? {} : { StartAfter: `${prefix}${from}` }),
          ...(next === undefined ? {} : { ContinuationToken: next }),
        }),
      );
      for (const object of page.Contents ?? []) {
        const file = lakeFileOf(object);
        if (file !== undefined) files.push(file);
      }
      next = page.NextContinuationToken;
    } while (next !== undefined);
  }
  return files;
}
