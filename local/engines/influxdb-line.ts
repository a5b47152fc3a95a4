/** InfluxDB's line protocol: `measurement,tag=value field=1i,other="text" 1763806530000000000`. */

export type FieldType = 'float' | 'integer' | 'unsigned' | 'string' | 'boolean';
export type FieldValue = number | bigint | string | boolean;

/** One line. `key` is still escaped: a writer repeats its series, so whoever stores points looks it up as it is. */
export interface Point {
  readonly key: string;
  readonly names: readonly string[];
  readonly types: readonly FieldType[];
  readonly values: readonly FieldValue[];
  /** Nanoseconds since 1970. */
  readonly time: bigint;
}

/** What the key of a point says. Tags are sorted by name. */
export interface SeriesKey {
  readonly measurement: string;
  readonly tags: readonly (readonly [string, string])[];
}

/** A line that is no line protocol, in InfluxDB's words. */
export class BadLine extends Error {}

export const nanosecondsPer = {
  ns: 1n,
  n: 1n,
  us: 1_000n,
  u: 1_000n,
  µ: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
} as const;

const latest = 9_223_372_036_854_775_806n;
const newline = 10;
const space = 32;
const quote = 34;
const hash = 35;
const comma = 44;
const minus = 45;
const equals = 61;
const backslash = 92;

/**
 * Reads lines. Those without a time get `now`. Throws `BadLine` at the first that can't be read: InfluxDB 2 then takes
 * none of them.
 */
export function parseLines(text: string, now: bigint, nanoseconds = 1n): Point[] {
  const points: Point[] = [];
  const end = text.length;
  let at = 0;
  while (at < end) {
    while (at < end && text.charCodeAt(at) <= space) at++;
    if (at >= end) break;
    if (text.charCodeAt(at) === hash) {
      const next = text.indexOf('\n', at);
      at = next < 0 ? end : next + 1;
      continue;
    }
    const start = at;
    const fail = (why: string): never => {
      const stop = text.indexOf('\n', start);
      throw new BadLine(`unable to parse '${text.slice(start, stop < 0 ? end : stop)}': ${why}`);
    };

    at = skipTo(text, at, space, space);
    if (at === start || text.charCodeAt(start) === comma) fail('missing measurement');
    if (at >= end || text.charCodeAt(at) === newline) fail('missing fields');
    const key = text.slice(start, at);
    while (text.charCodeAt(at) === space) at++;

    const names: string[] = [];
    const types: FieldType[] = [];
    const values: FieldValue[] = [];
    for (;;) {
      const nameStart = at;
      at = skipTo(text, at, equals, comma);
      if (text.charCodeAt(at) !== equals)
        fail(names.length === 0 && at === nameStart ? 'missing fields' : 'invalid field format');
      if (at === nameStart) fail('missing field key');
      names.push(unescapeName(text.slice(nameStart, at)));
      const valueStart = ++at;
      if (text.charCodeAt(at) === quote) {
        at = skipString(text, at + 1);
        if (at < 0) fail('unbalanced quotes');
        types.push('string');
        values.push(unescapeString(text.slice(valueStart + 1, at)));
        at++;
      } else {
        for (let code = text.charCodeAt(at); at < end && code > space && code !== comma; code = text.charCodeAt(++at));
        if (at === valueStart) fail('missing field value');
        readValue(text.slice(valueStart, at), types, values, fail);
      }
      if (text.charCodeAt(at) !== comma) break;
      at++;
    }

    while (text.charCodeAt(at) === space) at++;
    const timeStart = at;
    while (at < end && text.charCodeAt(at) > space) at++;
    let time = now;
    if (at > timeStart) {
      const digits = text.charCodeAt(timeStart) === minus ? timeStart + 1 : timeStart;
      if (!isDigits(text, digits, at)) fail('bad timestamp');
      time = BigInt(text.slice(timeStart, at)) * nanoseconds;
      if (time > latest || time < -latest) fail(`time outside range -${latest} - ${latest}`);
    }
    while (at < end && text.charCodeAt(at) !== newline) if (text.charCodeAt(at++) > space) fail('bad timestamp');
    points.push({ key, names, types, values, time });
  }
  return points;
}

/** Reads a point's key. */
export function parseKey(key: string): SeriesKey {
  const fail = (why: string): never => {
    throw new BadLine(`unable to parse '${key}': ${why}`);
  };
  let at = skipTo(key, 0, comma, comma);
  const measurement = key.slice(0, at).replace(/\\([, ])/g, '$1');
  const tags: [string, string][] = [];
  while (at < key.length) {
    const nameStart = ++at;
    at = skipTo(key, at, equals, comma);
    if (at === nameStart) fail('missing tag key');
    if (key.charCodeAt(at) !== equals) fail('missing tag value');
    const valueStart = ++at;
    at = skipTo(key, at, comma, equals);
    if (at === valueStart || key.charCodeAt(at) === equals)
      fail(at === valueStart ? 'missing tag value' : 'invalid tag format');
    tags.push([unescapeName(key.slice(nameStart, valueStart - 1)), unescapeName(key.slice(valueStart, at))]);
  }
  tags.sort(([one], [other]) => (one < other ? -1 : one > other ? 1 : fail('duplicate tags')));
  return { measurement, tags };
}

/** The index of the first of two characters, or of the line's end, that is not escaped. */
function skipTo(text: string, from: number, one: number, other: number): number {
  let at = from;
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === one || code === other || code === newline) break;
    if (code === backslash && at + 1 < text.length) at++;
  }
  return at;
}

/** The index of the closing quote; strings may hold line breaks. */
function skipString(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === quote) return at;
    if (code === backslash && (text.charCodeAt(at + 1) === quote || text.charCodeAt(at + 1) === backslash)) at++;
  }
  return -1;
}

const unescapeName = (text: string): string => (text.includes('\\') ? text.replace(/\\([, =])/g, '$1') : text);
const unescapeString = (text: string): string => (text.includes('\\') ? text.replace(/\\(["\\])/g, '$1') : text);

const booleans: Readonly<Record<string, boolean>> = {
  t: true,
  T: true,
  true: true,
  True: true,
  TRUE: true,
  f: false,
  F: false,
  false: false,
  False: false,
  FALSE: false,
};

function readValue(text: string, types: FieldType[], values: FieldValue[], fail: (why: string) => never): void {
  const last = text.charAt(text.length - 1);
  if (last === 'i' || last === 'u') {
    const negative = last === 'i' && text.charCodeAt(0) === minus;
    if (!isDigits(text, negative ? 1 : 0, text.length - 1)) fail('invalid number');
    const value = BigInt(text.slice(0, -1));
    if (last === 'i' ? BigInt.asIntN(64, value) !== value : BigInt.asUintN(64, value) !== value) {
      fail(`unable to parse ${last === 'i' ? 'integer' : 'unsigned'} ${text.slice(0, -1)}: value out of range`);
    }
    types.push(last === 'i' ? 'integer' : 'unsigned');
    values.push(value);
    return;
  }
  if (/^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$/.test(text)) {
    const value = Number(text);
    if (!Number.isFinite(value)) fail('invalid number');
    types.push('float');
    values.push(value);
    return;
  }
  const value = Object.hasOwn(booleans, text) ? booleans[text] : undefined;
  if (value === undefined) fail(/^[-+.\d]/.test(text) ? 'invalid number' : 'invalid boolean');
  types.push('boolean');
  values.push(value!);
}

function isDigits(text: string, from: number, to: number): boolean {
  for (let at = from; at < to; at++) {
    const code = text.charCodeAt(at);
    if (code < 48 || code > 57) return false;
  }
  return to > from;
}
