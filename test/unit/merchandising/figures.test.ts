import { changeOf, figuresOf } from '../../../lambdas/serve/merchandising/query/figures';

const none = { net: 0, units: 0, discount: 0, transactions: 0 };

test('figures of what was sold and returned', () => {
  const sold = { net: 10_000, units: 7, discount: 2_345, transactions: 3 };
  const returned = { net: 1_234, units: 2, discount: 100, transactions: 1 };

  expect(figuresOf({ sold, returned })).toEqual({
    netSales: 8_766,
    units: 5,
    transactions: 4,
    returns: 1,
    averageBasket: 3_333,
    unitsPerBasket: 2.33,
    returnsRate: 0.1234,
    // 2,345 of 12,345.
    discountShare: 0.19,
  });
});

test('shares have four digits', () => {
  const { returnsRate, discountShare } = figuresOf({
    sold: { net: 30_000, units: 1, discount: 4, transactions: 1 },
    returned: { ...none, net: 1 },
  });

  expect([returnsRate, discountShare]).toEqual([0, 0.0001]);
});

test('where nothing was sold there is nothing to divide by', () => {
  const figures = figuresOf({ sold: none, returned: { net: 500, units: 1, discount: 0, transactions: 1 } });

  expect(figures).toMatchObject({ netSales: -500, units: -1, transactions: 1, returns: 1 });
  expect(figures).toMatchObject({ averageBasket: null, unitsPerBasket: null, returnsRate: null, discountShare: null });
});

test('what was given away has a discount share, and no returns rate', () => {
  const sold = { net: 0, units: 2, discount: 300, transactions: 1 };

  expect(figuresOf({ sold, returned: none })).toMatchObject({
    ...{ averageBasket: 0, unitsPerBasket: 2, returnsRate: null, discountShare: 1 },
  });
});

test('a change is a share of what was, and none where that was nothing or less', () => {
  const figures = (net: number, transactions = 1) =>
    figuresOf({ sold: { net, units: 4, discount: 0, transactions }, returned: none });

  expect(changeOf(figures(110), figures(100))).toEqual({ netSales: 0.1, units: 0, transactions: 0 });
  expect(changeOf(figures(0, 3), figures(300, 2))).toEqual({ netSales: -1, units: 0, transactions: 0.5 });
  expect(changeOf(figures(100), figures(0)).netSales).toBeNull();
  expect(changeOf(figures(100), figures(-5)).netSales).toBeNull();
});
