/** A request that is not even a list of events. */
export interface BadRequest {
  readonly statusCode: 400 | 413;
  readonly code: 'bad-envelope' | 'too-large';
  readonly message: string;
}

export interface Envelope {
  readonly events: readonly unknown[];
  /** Whether an event can be above its limit at all: when the whole body is not, none is measured. */
  readonly measure: boolean;
}

const mostBytes = 4 * 1024 * 1024;
const mostEvents = 500;
const mostEventBytes = 256 * 1024;

/** Reads the body of a request. Nothing of it is repeated in an answer: it is the most sensitive text there is. */
export function readEnvelope(body: string | null | undefined, isBase64Encoded: boolean): Envelope | BadRequest {
  if (!body) return bad("got an empty body, allowed: JSON of the form {'sales': [...]}");
  const text = isBase64Encoded ? Buffer.from(body, 'base64').toString('utf8') : body;
  const bytes = Buffer.byteLength(text);
  if (bytes > mostBytes)
    return {
      statusCode: 413,
      code: 'too-large',
      message: `body: got ${bytes} bytes, allowed: at most ${mostBytes}; send fewer sales at once`,
    };
  let envelope: unknown;
  try {
    envelope = JSON.parse(text);
  } catch {
    // The parser's message quotes the body.
    return bad('got a body that is not JSON');
  }
  if (typeof envelope !== 'object' || envelope === null || Array.isArray(envelope))
    return bad("got JSON that is not an object, allowed: {'sales': [...]}");
  const { sales } = envelope as { sales?: unknown };
  if (!Array.isArray(sales)) return bad("sales: got no array, allowed: {'sales': [...]}");
  if (sales.length < 1 || sales.length > mostEvents)
    return bad(`sales: got ${sales.length} events, allowed: 1 to ${mostEvents}`);
  return { events: sales, measure: bytes > mostEventBytes };
}

/** Whether an event is above its limit, as JSON in UTF-8. One nested too deep to be written counts as well. */
export function isTooLarge(event: unknown): boolean {
  try {
    return Buffer.byteLength(JSON.stringify(event)) > mostEventBytes;
  } catch {
    return true;
  }
}

function bad(message: string): BadRequest {
  return { statusCode: 400, code: 'bad-envelope', message };
}
