import kinesaliteDb from 'kinesalite/db';
import { SequenceNumbers } from '../../../local/engines/kinesis-sequence';

test('sequence numbers are those that kinesalite would give', () => {
  const second = 1_790_000_000_000;
  for (const shardIx of [0, 1, 17]) {
    const first = kinesaliteDb.stringifySequence({ shardCreateTime: second, shardIx });
    const numbers = new SequenceNumbers(first);
    for (const seqIx of [1, 255, 1_000_000]) {
      const expected = kinesaliteDb.stringifySequence({
        shardCreateTime: second,
        shardIx,
        seqIx,
        seqTime: second + 5000,
      });

      expect(numbers.of(seqIx, second + 5123)).toBe(expected);
      expect(numbers.indexOf(expected)).toBe(seqIx);
    }
  }
});
