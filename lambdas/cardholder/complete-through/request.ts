import { type CompletenessMark, wholeSource } from '../../base/domain/completeness-mark';
import { isReal } from '../../base/domain/times';
import { holdsCardNumber } from '../../base/runtime/card-number-search';
import { shown } from '../ingest/wording';

/** Why marks are not taken: what was got, and what is allowed. Nothing of such a request counts. */
export interface InvalidMarks {
  readonly code: 'bad-envelope' | 'invalid' | 'too-far-ahead' | 'looks-like-card-number';
  readonly message: string;
}

const mostMarks = 500;
const mostBytes = 256 * 1024;
const aheadMs = 24 * 3_600_000;
const sourceForm = /^[a-z][a-z0-9-]{1,31}$/;
const partForm = /^[A-Za-z0-9._:-]{1,64}$/;
const timeForm = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?Z$/;

/** Reads `{"marks":[{"source":"pos-eu","part":"store-042","completeThrough":"2026-11-22T10:15Z"}]}`. */
export function readMarks(
  body: string | null | undefined,
  isBase64Encoded: boolean,
  nowMs: number,
): readonly CompletenessMark[] | InvalidMarks {
  const text = body && isBase64Encoded ? Buffer.from(body, 'base64').toString('utf8') : (body ?? '');
  if (Buffer.byteLength(text) > mostBytes) return bad(`body: got more than ${mostBytes} bytes, allowed: fewer marks`);
  let envelope: unknown;
  try {
    envelope = JSON.parse(text);
  } catch {
    // The parser's message quotes the body.
    return bad('got a body that is not JSON');
  }
  const given = (envelope as { marks?: unknown } | null)?.marks;
  if (!Array.isArray(given)) return bad("marks: got no array, allowed: {'marks': [...]}");
  if (given.length < 1 || given.length > mostMarks)
    return bad(`marks: got ${given.length}, allowed: 1 to ${mostMarks}`);
  const marks: CompletenessMark[] = [];
  for (const [index, mark] of given.entries()) {
    const read = readMark(mark, `marks[${index}]`, nowMs);
    if ('code' in read) return read;
    marks.push(read);
  }
  return marks;
}

function readMark(given: unknown, path: string, nowMs: number): CompletenessMark | InvalidMarks {
  const fields = (typeof given === 'object' && given !== null ? given : {}) as Record<string, unknown>;
  const { source, part = wholeSource, completeThrough, ...others } = fields;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined)
    return invalid(`${path}: got field ${shown(unknown)}, allowed: source, part, completeThrough`);
  if (typeof source !== 'string' || !sourceForm.test(source))
    return invalid(`${path}.source: got ${shown(source)}, allowed: 2 to 32 of a-z 0-9 -, a letter first`);
  if (typeof part !== 'string' || (part !== wholeSource && !partForm.test(part)))
    return invalid(`${path}.part: got ${shown(part)}, allowed: 1 to 64 of A-Z a-z 0-9 . _ : -, or none`);
  for (const [field, value] of Object.entries({ source, part }))
    if (holdsCardNumber(value))
      return {
        code: 'looks-like-card-number',
        message: `${path}.${field}: got what looks like a card number, allowed: names of tills, stores and systems`,
      };
  const time = typeof completeThrough === 'string' && timeForm.test(completeThrough) ? completeThrough : '';
  const ms = Date.parse(time);
  if (Number.isNaN(ms) || !isReal(`${time.slice(0, 16)}:00Z`))
    return invalid(`${path}.completeThrough: got ${shown(completeThrough)}, allowed: a UTC time, 2026-11-22T10:15:00Z`);
  if (ms > nowMs + aheadMs)
    return {
      code: 'too-far-ahead',
      message: `${path}.completeThrough: got ${time}, allowed: at most 24 hours ahead`,
    };
  return { source, part, completeThrough: new Date(ms).toISOString() };
}

function bad(message: string): InvalidMarks {
  return { code: 'bad-envelope', message };
}

function invalid(message: string): InvalidMarks {
  return { code: 'invalid', message };
}
