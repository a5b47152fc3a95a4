import { AwsError } from '../engines/engine';

/** The content of a body in `aws-chunked` encoding, without its chunk sizes and its trailers. */
export function decodeAwsChunked(body: Buffer): Buffer {
  const { chunks } = split(body);
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
}

/** The trailers (checksums) that follow the last chunk. */
export function awsChunkedTrailers(body: Buffer): Record<string, string> {
  const trailers: Record<string, string> = {};
  const lines = body.toString('latin1', split(body).end).split('\r\n');
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon !== -1) trailers[line.slice(0, colon).trim().toLowerCase()] = line.slice(colon + 1).trim();
  }
  return trailers;
}

/** The chunks, and where the trailers begin. */
function split(body: Buffer): { readonly chunks: Buffer[]; readonly end: number } {
  const chunks: Buffer[] = [];
  for (let at = 0; ; ) {
    const lineEnd = body.indexOf('\r\n', at);
    const header = lineEnd === -1 ? '' : body.toString('latin1', at, lineEnd);
    const size = /^[0-9a-f]+(;|$)/i.test(header) ? Number.parseInt(header, 16) : Number.NaN;
    const start = lineEnd + 2;
    if (Number.isNaN(size) || start + size > body.length)
      throw new AwsError('IncompleteBody', 'The request body terminated unexpectedly');
    if (size === 0) return { chunks, end: start };
    chunks.push(body.subarray(start, start + size));
    at = start + size + 2;
  }
}
