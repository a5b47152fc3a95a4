import type { LocalAccount } from '../account';
import { localAccount, localRegion } from '../engines/engine';
import type { ResourceModel } from '../template/resource-model';

export const stream: ResourceModel<LocalAccount> = {
  uses: ['Name', 'ShardCount', 'StreamModeDetails', 'StreamEncryption'],
  withoutEffect: {
    RetentionPeriodHours: 'records stay until the state folder is cleared',
    Tags: 'nothing reads tags',
  },
  async create({ properties, generatedName, previous }, { engines, encryptedWith }) {
    const StreamName = properties.Name ?? generatedName;
    const arn = `arn:aws:kinesis:${localRegion}:${localAccount}:stream/${StreamName}`;
    if (properties.StreamEncryption !== undefined) encryptedWith.set(arn, properties.StreamEncryption.KeyId);
    if (previous !== undefined) return previous;
    const { ShardCount, StreamModeDetails } = properties;
    await engines.kinesis.call('CreateStream', {
      StreamName,
      ...(ShardCount === undefined ? {} : { ShardCount }),
      ...(StreamModeDetails === undefined ? {} : { StreamModeDetails }),
    });
    return { ref: StreamName, attributes: { Arn: arn } };
  },
};
