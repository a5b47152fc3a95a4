import type { LocalAccount } from '../account';
import { localAccount, localRegion } from '../engines/engine';
import type { ResourceModel } from '../template/resource-model';

export const logGroup: ResourceModel<LocalAccount> = {
  uses: ['LogGroupName'],
  withoutEffect: {
    KmsKeyId: 'logs are plain files in the state folder, for people to read',
    RetentionInDays: 'logs go with the state folder',
    Tags: 'nothing reads tags',
  },
  create({ properties, generatedName }) {
    const name = properties.LogGroupName ?? generatedName;
    return { ref: name, attributes: { Arn: `arn:aws:logs:${localRegion}:${localAccount}:log-group:${name}:*` } };
  },
};

export const logStream: ResourceModel<LocalAccount> = {
  uses: ['LogGroupName', 'LogStreamName'],
  create: ({ properties, generatedName }) => ({ ref: properties.LogStreamName ?? generatedName }),
};
