import { SourceTraffic, type SourceTrafficOptions } from '../../test/end-to-end/source-traffic';

/** The retailer's own work on his databases, in a process of its own: what is measured does none of it. */
process.once('message', ({ options, perSecond }: { options: SourceTrafficOptions; perSecond: number }) => {
  const traffic = new SourceTraffic(options);
  traffic.start(perSecond);
  const telling = setInterval(() => process.send!({ done: traffic.done }), 100);
  process.once('message', async () => {
    clearInterval(telling);
    await traffic.stop();
    process.send!({ done: traffic.done, stopped: true }, () => process.disconnect());
  });
});
