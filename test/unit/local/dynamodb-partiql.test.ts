import { parseStatement } from '../../../local/engines/dynamodb/partiql';

test('an insert names its table and attributes', () => {
  expect(parseStatement(`INSERT INTO "claims-1.x" VALUE {'id': ?, 'it''s' : ?}`)).toEqual({
    kind: 'insert',
    table: 'claims-1.x',
    attributes: ['id', "it's"],
  });
});

test('an update names what it sets and what it compares', () => {
  const expected = { kind: 'update', table: 'cards', set: ['a', 'b c'], where: ['pk', 'a'] };

  expect(parseStatement('UPDATE "cards" SET a=? SET "b c" = ? WHERE pk=? AND a=?')).toEqual(expected);
  expect(parseStatement('update cards set a = ?, "b c" = ? where "pk" = ? and a = ?')).toEqual(expected);
});

test.each([
  'SELECT * FROM "claims" WHERE id=?',
  'DELETE FROM "claims" WHERE id=?',
  `INSERT INTO "claims" VALUE {'id': 'literal'}`,
  `INSERT INTO "claims" VALUE {'id': ?} IF NOT EXISTS`,
  'UPDATE "claims" SET a=? WHERE id=? OR b=?',
  'UPDATE "claims" SET a=a+? WHERE id=?',
  'UPDATE "claims" REMOVE a WHERE id=?',
  'UPDATE "claims" SET a.b=? WHERE id=?',
  'UPDATE "claims" SET a=? WHERE id=? RETURNING ALL NEW *',
])('%s is refused as not modelled', (text) => {
  expect(() => parseStatement(text)).toThrow(`PartiQL statement ${text} is not modelled`);
});
