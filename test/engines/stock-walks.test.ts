import { startRig } from '../engine-rig';
import { randomOf } from '../reconciliation/random';
import { StockWalk } from './stock-walk';
import { StockWalkDelivery } from './stock-walk-delivery';

// Each world has a hundred walks. `STOCK_WALKS=10000 npm run jest -- stock-walks` runs so many.
const walks = Number(process.env.STOCK_WALKS ?? 100);

test(
  `${walks} walks around the reorder point, killed and throttled on engines: ids delivered are the crossings of the committed history`,
  async () => {
    const rig = await startRig();
    try {
      const delivery = await StockWalkDelivery.open(rig);
      const sum = { walks: 0, versions: 0, crossings: 0, repeats: 0, killed: 0 };
      const wrong: string[] = [];
      for (let seed = 1; sum.walks < walks; seed++) {
        const random = randomOf(seed);
        const world = new StockWalk(seed, random);
        const walked = await delivery.walk(world, random);
        sum.walks += world.walks;
        sum.versions += walked.versions;
        sum.crossings += walked.crossings;
        sum.repeats += walked.repeats;
        sum.killed += walked.killed;
        wrong.push(...walked.wrong.map((text) => `seed ${seed}: ${text}`));
      }

      expect(wrong).toEqual([]);
      // The walks are about something.
      expect(sum.crossings).toBeGreaterThan(walks);
      expect(sum.killed).toBeGreaterThan(walks / 20);
      if (walks > 1_000) expect(sum.repeats).toBeGreaterThan(0);
      if (process.env.STOCK_WALKS !== undefined) console.log(JSON.stringify(sum));
    } finally {
      await rig.close();
    }
  },
  60_000 + walks * 150,
);
