import { open } from 'node:fs/promises';
import * as path from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { Bucket } from './s3-bucket';
import { openParquet, type Parquet } from './s3-parquet';

const chunkBytes = 8 * 1024 * 1024;
/** Pieces overlap by this, so that nothing shorter is cut in two. */
const overlapBytes = 256;

/** The text of every version of every object, with its key and metadata: Parquet as rows, gzip unpacked. */
export async function* contentsOf(
  root: string,
  buckets: Iterable<Bucket>,
): AsyncIterable<{ readonly where: string; readonly text: string }> {
  let parquet: Parquet | undefined;
  try {
    for (const bucket of [...buckets]) {
      for (const [key, versions] of [...bucket.objects]) {
        for (const { file, versionId, metadata, headers } of versions) {
          const where = `s3://${bucket.name}/${key} (${versionId})`;
          yield { where, text: JSON.stringify([key, metadata, headers]) };
          if (file === undefined) continue;
          const full = path.join(root, file);
          const format = await formatOf(full);
          if (format === 'parquet') {
            parquet ??= await openParquet();
            for await (const text of parquet.texts(full)) yield { where, text };
          } else {
            for await (const text of texts(full, format)) yield { where, text };
          }
        }
      }
    }
  } finally {
    parquet?.close();
  }
}

async function formatOf(file: string): Promise<'parquet' | 'gzip' | 'plain'> {
  const handle = await open(file);
  try {
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(4), 0, 4, 0);
    if (bytesRead === 4 && buffer.toString('latin1') === 'PAR1') return 'parquet';
    return buffer[0] === 0x1f && buffer[1] === 0x8b ? 'gzip' : 'plain';
  } finally {
    await handle.close();
  }
}

async function* texts(file: string, format: 'gzip' | 'plain'): AsyncIterable<string> {
  const handle = await open(file);
  try {
    if (format === 'gzip') {
      yield gunzipSync(await handle.readFile()).toString();
      return;
    }
    for (let at = 0; ; at += chunkBytes) {
      const { bytesRead, buffer } = await handle.read(Buffer.alloc(chunkBytes + overlapBytes), 0, undefined, at);
      if (bytesRead > 0) yield buffer.toString('utf8', 0, bytesRead);
      if (bytesRead <= chunkBytes) return;
    }
  } finally {
    await handle.close();
  }
}
