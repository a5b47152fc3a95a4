import type { LocalAccount } from '../account';
import type { ResourceModel } from '../template/resource-model';

export const key: ResourceModel<LocalAccount> = {
  uses: ['Description', 'KeySpec', 'KeyUsage'],
  withoutEffect: {
    KeyPolicy: 'keys trust the account here: what a role may do with a key is said, and enforced, by its own policies',
    EnableKeyRotation: 'a run is shorter than a year',
    PendingWindowInDays: 'keys go with the state folder',
    Tags: 'nothing reads tags',
  },
  async create({ properties, previous }, { engines }) {
    if (previous !== undefined) return previous;
    const { KeyMetadata } = await engines.kms.call('CreateKey', properties);
    return { ref: KeyMetadata.KeyId, attributes: { Arn: KeyMetadata.Arn, KeyId: KeyMetadata.KeyId } };
  },
};
