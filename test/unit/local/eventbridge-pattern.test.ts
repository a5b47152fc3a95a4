import { readPattern } from '../../../local/engines/eventbridge-pattern';

const event = {
  source: 'tillstream.inventory',
  'detail-type': 'StockTrigger',
  detail: { kind: 'reorder', location: 'fc1', available: 3, tags: ['cold', 'heavy'], deep: { a: null } },
};

test.each<[string, object, boolean]>([
  ['a value', { source: ['tillstream.inventory'] }, true],
  ['one of several values', { detail: { kind: ['stock-out', 'reorder'] } }, true],
  ['none of several values', { detail: { kind: ['stock-out', 'back-in-stock'] } }, false],
  ['all members', { source: ['tillstream.inventory'], detail: { location: ['fc2'] } }, false],
  ['a number', { detail: { available: [3] } }, true],
  ['a number as text', { detail: { available: ['3'] } }, false],
  ['null', { detail: { deep: { a: [null] } } }, true],
  ['any element of a list', { detail: { tags: ['heavy'] } }, true],
  ['no element of a list', { detail: { tags: ['light'] } }, false],
  ['a prefix', { source: [{ prefix: 'tillstream.' }] }, true],
  ['another prefix', { source: [{ prefix: 'aws.' }] }, false],
  ['a prefix of what is no text', { detail: { available: [{ prefix: '3' }] } }, false],
  ['existence', { detail: { kind: [{ exists: true }] } }, true],
  ['existence of what is not there', { detail: { colour: [{ exists: true }] } }, false],
  ['absence', { detail: { colour: [{ exists: false }] } }, true],
  ['absence below what is not there', { detail: { colour: { shade: [{ exists: false }] } } }, true],
  ['anything but', { detail: { kind: [{ 'anything-but': 'stock-out' }] } }, true],
  ['anything but one of several', { detail: { kind: [{ 'anything-but': ['stock-out', 'reorder'] }] } }, false],
  ['anything but, where nothing is', { detail: { colour: [{ 'anything-but': 'red' }] } }, false],
  ['a member that is not there', { detail: { colour: ['red'] } }, false],
  ['members of what is no object', { detail: { kind: { name: ['reorder'] } } }, false],
])('by %s', (_, pattern, expected) => {
  expect(readPattern(JSON.stringify(pattern)).matches(event)).toBe(expected);
});

test.each<[string, unknown, string]>([
  ['numeric', { detail: { available: [{ numeric: ['<', 5] }] } }, 'numeric of an event pattern is not modelled'],
  ['suffix', { source: [{ suffix: '.inventory' }] }, 'suffix of an event pattern is not modelled'],
  ['wildcard', { source: [{ wildcard: '*' }] }, 'wildcard of an event pattern is not modelled'],
  ['$or', { $or: [{ source: ['a'] }] }, '$or of an event pattern is not modelled'],
  ['a nested anything-but', { source: [{ 'anything-but': { prefix: 'a' } }] }, 'is not modelled'],
  ['a value outside a list', { source: 'tillstream' }, "'source' must be an object or an array"],
  ['an empty list', { source: [] }, 'Empty arrays are not allowed'],
  ['an empty object', { detail: {} }, 'Empty objects are not allowed'],
  ['no object', ['tillstream'], 'Filter is not an object'],
])('%s is refused', (_, pattern, words) => {
  expect(() => readPattern(JSON.stringify(pattern))).toThrow(words);
});

test('what is no JSON is refused', () => {
  expect(() => readPattern('{')).toThrow('Filter is not valid JSON');
});
