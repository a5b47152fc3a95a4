import { tableMappings } from '../../../lib/cdc/table-mappings';
import { stageNamed } from '../../../lib/stages';

const { inventory } = stageNamed('dev').databases;
const { skus, ...others } = inventory.tables;
const withSkus = (change: object) => ({ ...inventory, tables: { ...others, skus: { ...skus!, ...change } } });

test('canonical names need no rule but those of the schema, which names the database', () => {
  const { rules } = tableMappings('inventory', inventory);

  const transformations = rules.filter((rule) => rule['rule-type'] === 'transformation');

  expect(transformations).toEqual([
    expect.objectContaining({ 'rule-target': 'schema', 'rule-action': 'rename', value: 'inventory' }),
  ]);
});

test("a retailer's own names are renamed, and columns that nobody needs are dropped", () => {
  const columns = { ...skus!.columns, sku: 'article_no', status: 'state' };

  const { rules } = tableMappings('inventory', withSkus({ table: 'article', columns, leaveOut: ['buyer_phone'] }));

  const told = rules
    .filter((rule) => rule['rule-type'] === 'transformation')
    .map((rule: any) => [rule['rule-action'], Object.values(rule['object-locator']).join('.'), rule.value]);
  expect(told).toEqual([
    ['rename', 'public', 'inventory'],
    ['rename', 'public.article', 'skus'],
    ['rename', 'public.article.article_no', 'sku'],
    ['rename', 'public.article.state', 'status'],
    ['remove-column', 'public.article.buyer_phone', undefined],
  ]);
});

test('no object has two rules, and no two rules one id', () => {
  const columns = { ...skus!.columns, sku: 'article_no' };
  const { rules } = tableMappings('inventory', withSkus({ table: 'article', columns, leaveOut: ['a', 'b'] }));

  const objects = rules
    .filter((rule) => rule['rule-type'] === 'transformation')
    .map((rule) => JSON.stringify(rule['object-locator']));

  expect(new Set(objects).size).toBe(objects.length);
  expect(new Set(rules.map((rule) => rule['rule-id'])).size).toBe(rules.length);
});

test.each([
  ['a forgotten column', { columns: { sku: 'sku' } }, 'columns of inventory.skus'],
  ['a column that is mapped and left out', { leaveOut: ['sku'] }, "column 'sku' is mapped and left out"],
])('%s is refused', (_, change, message) => {
  expect(() => tableMappings('inventory', withSkus(change))).toThrow(message);
});

test('a forgotten table is refused', () => {
  expect(() => tableMappings('inventory', { ...inventory, tables: others })).toThrow('tables of inventory');
});
