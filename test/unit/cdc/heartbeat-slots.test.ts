import { createHash } from 'node:crypto';
import { heartbeatSlots } from '../../../lambdas/base/domain/heartbeat-slots';
import { heartbeatTable } from '../../../lambdas/base/domain/source-tables';

/** Which 64th of the hash range a partition key falls into. */
function sixtyFourthOf(partitionKey: string): number {
  const hash = BigInt(`0x${createHash('md5').update(partitionKey).digest('hex')}`);
  return Number((hash * 64n) >> 128n);
}

test.each(['inventory', 'orders'])('the beats of %s fall one in each 64th of the hash range', (database) => {
  const met = heartbeatSlots.map((slot) => sixtyFourthOf(`${database}.${heartbeatTable}.${slot}`));

  expect(met).toEqual(Array.from({ length: 64 }, (_, index) => index));
});
