import { SourceTraffic, type SourceTrafficOptions } from '../../test/end-to-end/source-traffic';

/** What it is told: first the options, then how fast it is to be, and at last to stop. */
export type TrafficWord =
  | { readonly options: SourceTrafficOptions }
  | { readonly perSecond: number }
  | { readonly stop: true };

let traffic: SourceTraffic;
let telling: NodeJS.Timeout;

/** The retailer's own work on his databases, in a process of its own: what is measured does none of it. */
process.on('message', async (word: TrafficWord) => {
  if ('options' in word) {
    traffic = new SourceTraffic(word.options);
    traffic.start(0);
    telling = setInterval(() => process.send!({ done: traffic.done }), 100);
  } else if ('perSecond' in word) traffic.pace(word.perSecond);
  else {
    clearInterval(telling);
    await traffic.stop();
    process.send!({ done: traffic.done, stopped: true }, () => process.disconnect());
  }
});
