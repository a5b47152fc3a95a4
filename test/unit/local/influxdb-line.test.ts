import fc from 'fast-check';
import { BadLine, parseKey, parseLines } from '../../../local/engines/influxdb-line';

const only = (line: string) => {
  const [point] = parseLines(line, 7n);
  const { names, types, values, time, key } = point!;
  return { ...parseKey(key), fields: names.map((name, at) => [name, types[at], values[at]]), time };
};

test('a line names its measurement, tags, typed fields and time', () => {
  const line =
    'sales,region=eu,channel=web net=-12i,count=3u,rate=1.5e2,open=t,note="a, b = \\"c\\" \\\\" 1763806530000000001';

  expect(only(line)).toEqual({
    measurement: 'sales',
    tags: [
      ['channel', 'web'],
      ['region', 'eu'],
    ],
    fields: [
      ['net', 'integer', -12n],
      ['count', 'unsigned', 3n],
      ['rate', 'float', 150],
      ['open', 'boolean', true],
      ['note', 'string', 'a, b = "c" \\'],
    ],
    time: 1763806530000000001n,
  });
});

test('escapes stand for commas, spaces and equal signs; quotes mean nothing outside of a value', () => {
  expect(only('my\\ m\\,x,t\\=a\\ g="v\\,al f\\,i\\=e\\ ld=1')).toEqual({
    measurement: 'my m,x',
    tags: [['t=a g', '"v,al']],
    fields: [['f,i=e ld', 'float', 1]],
    time: 7n,
  });
});

test('empty lines and comments are passed over, strings may hold line breaks, and times have a precision', () => {
  const points = parseLines('\n# comment a=1\r\nm a="1\n2" 3\r\n\n  m a=2 4', 0n, 1_000_000_000n);

  expect(points.map(({ values, time }) => [values[0], time])).toEqual([
    ['1\n2', 3_000_000_000n],
    [2, 4_000_000_000n],
  ]);
});

test.each([
  ['m', 'missing fields'],
  ['m,a=b ', 'missing fields'],
  [',a=b c=1', 'missing measurement'],
  ['m c', 'invalid field format'],
  ['m =1', 'missing field key'],
  ['m c=', 'missing field value'],
  ['m c=1x', 'invalid number'],
  ['m c=1.5i', 'invalid number'],
  ['m c=9223372036854775808i', 'out of range'],
  ['m c=yes', 'invalid boolean'],
  ['m c=nan', 'invalid boolean'],
  ['m c="open', 'unbalanced quotes'],
  ['m c=1 x', 'bad timestamp'],
  ['m c=1 1 2', 'bad timestamp'],
  ['m c=1 9223372036854775807', 'time outside range'],
])('%j cannot be read', (line, why) => {
  expect(() => parseLines(`good a=1\n${line}`, 0n)).toThrow(BadLine);
  expect(() => parseLines(line, 0n)).toThrow(why);
});

test.each([
  ['m,', 'missing tag key'],
  ['m,a', 'missing tag value'],
  ['m,a=', 'missing tag value'],
  ['m,a=b=c', 'invalid tag format'],
  ['m,a=b,a=c', 'duplicate tags'],
])('the key %j cannot be read', (key, why) => {
  expect(() => parseKey(key)).toThrow(why);
});

test('whatever is written is read back', () => {
  // A name may not end in a backslash: it would escape what follows. Line breaks and leading marks have no escape.
  const name = fc
    .string({ minLength: 1, unit: fc.constantFrom('a', 'Z', '9', ' ', ',', '=', '"', 'é', '\\', '#', '_') })
    .map((text) => `x${text.replace(/\\/g, '\\_')}`);
  const value = fc.oneof(
    fc
      .bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
      .map((integer) => ({ type: 'integer', value: integer, text: `${integer}i` })),
    fc
      .bigInt({ min: 0n, max: 2n ** 64n - 1n })
      .map((integer) => ({ type: 'unsigned', value: integer, text: `${integer}u` })),
    fc
      .double({ noNaN: true, noDefaultInfinity: true })
      .map((float) => ({ type: 'float', value: float, text: Object.is(float, -0) ? '-0' : String(float) })),
    fc.boolean().map((boolean) => ({ type: 'boolean', value: boolean, text: String(boolean) })),
    fc.string().map((text) => ({ type: 'string', value: text, text: `"${text.replace(/["\\]/g, '\\$&')}"` })),
  );
  const point = fc.record({
    measurement: name,
    tags: fc.uniqueArray(fc.tuple(name, name), { selector: ([key]) => key, maxLength: 4 }),
    fields: fc.uniqueArray(fc.tuple(name, value), { selector: ([key]) => key, minLength: 1, maxLength: 5 }),
    time: fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n }),
  });
  const escapeName = (text: string) => text.replace(/[,= ]/g, '\\$&');

  fc.assert(
    fc.property(fc.array(point, { minLength: 1, maxLength: 5 }), (points) => {
      const lines = points.map(({ measurement, tags, fields, time }) => {
        const key = [
          measurement.replace(/[, ]/g, '\\$&'),
          ...tags.map(([tag, text]) => `${escapeName(tag)}=${escapeName(text)}`),
        ];
        return `${key.join(',')} ${fields.map(([field, { text }]) => `${escapeName(field)}=${text}`).join(',')} ${time}`;
      });

      const read = parseLines(lines.join('\n'), 0n);

      expect(read).toHaveLength(points.length);
      read.forEach(({ key, names, types, values, time }, at) => {
        const expected = points[at]!;
        expect(parseKey(key).measurement).toBe(expected.measurement);
        expect(parseKey(key).tags).toEqual([...expected.tags].sort(([a], [b]) => (a < b ? -1 : 1)));
        expect(names.map((field, index) => [field, types[index], values[index]])).toEqual(
          expected.fields.map(([field, given]) => [field, given.type, given.value]),
        );
        expect(time).toBe(expected.time);
      });
    }),
    { seed: 1 },
  );
});
