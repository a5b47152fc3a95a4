import { readPolicy } from '../../../lambdas/serve/badges/lookup/policy';
import { readQuery } from '../../../lambdas/serve/badges/lookup/request';
import { mostSkus } from '../../../lambdas/serve/lookup-request';

const named = (count: number, prefix = 'S') => Array.from({ length: count }, (_, index) => `${prefix}${index}`);

describe('a request', () => {
  test('keeps SKUs and centres in its own order', () => {
    expect(readQuery({ sku: ['B', 'A'], fc: ['FC2', 'FC1'] })).toEqual({ skus: ['B', 'A'], fcs: ['FC2', 'FC1'] });
  });

  test.each([
    [1, 48],
    [2, 32],
    [3, 23],
    [5, 15],
    [48, 1],
  ])('of %i centres takes %i SKUs and no more, since all of it is one read of 100 keys', (fcs, skus) => {
    expect(mostSkus(fcs)).toBe(skus);
    expect(skus * (1 + fcs) + fcs + 2).toBeLessThanOrEqual(100);
    expect((skus + 1) * (1 + fcs) + fcs + 2).toBeGreaterThan(100);
    expect(readQuery({ sku: named(skus), fc: named(fcs) })).not.toHaveProperty('code');
    expect(readQuery({ sku: named(skus + 1), fc: named(fcs) })).toEqual({
      code: 'too-many',
      message: `sku: got ${skus + 1} with ${fcs} fc, allowed: at most ${skus}`,
    });
  });

  test.each([
    [null, 'missing', 'sku: got none, allowed: at least one'],
    [{ sku: ['A'] }, 'missing', 'fc: got none, allowed: at least one'],
    [{ fc: ['FC1'] }, 'missing', 'sku: got none, allowed: at least one'],
    [{ sku: ['A'], fc: ['FC1'], at: ['now'] }, 'unknown-parameter', "got 'at', allowed: sku, fc"],
    [{ sku: ['A', ''], fc: ['FC1'] }, 'malformed', "sku: got '', allowed: 1 to 64 of A-Z a-z 0-9 . _ -"],
    [{ sku: ['A,B'], fc: ['FC1'] }, 'malformed', "sku: got 'A,B', allowed: 1 to 64 of A-Z a-z 0-9 . _ -"],
    [{ sku: ['A'], fc: ['FC#1'] }, 'malformed', "fc: got 'FC#1', allowed: 1 to 64 of A-Z a-z 0-9 . _ -"],
    [{ sku: ['A', 'B', 'A'], fc: ['FC1'] }, 'duplicate', "sku: got 'A' twice, allowed: once"],
    [{ sku: ['A'], fc: ['FC1', 'FC1'] }, 'duplicate', "fc: got 'FC1' twice, allowed: once"],
    [{ sku: ['A'], fc: named(49) }, 'too-many', 'fc: got 49, allowed: at most 48'],
  ])('%j is refused as %s, with what is allowed', (query, code, message) => {
    expect(readQuery(query as Parameters<typeof readQuery>[0])).toEqual({ code, message });
  });

  test('what is far too long is not said back', () => {
    const answer = readQuery({ sku: ['x'.repeat(5_000)], fc: ['FC1'] });

    expect(JSON.stringify(answer).length).toBeLessThan(250);
  });
});

describe('a policy', () => {
  const policy = { version: '7', maximumAgeSeconds: 300, safetyStock: 0, capacityShare: 1 };

  test('is read as the stage has it', () => {
    expect(readPolicy(JSON.stringify(policy))).toEqual(policy);
  });

  test.each([{ version: '' }, { maximumAgeSeconds: 'long' }, { safetyStock: -1 }, { capacityShare: undefined }])(
    'that is not whole stops the function: %j',
    (part) => {
      expect(() => readPolicy(JSON.stringify({ ...policy, ...part }))).toThrow('badge policy');
    },
  );
});
