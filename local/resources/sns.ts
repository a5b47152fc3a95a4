import type { LocalAccount } from '../account';
import { localAccount, localRegion } from '../engines/engine';
import type { ResourceModel } from '../template/resource-model';

/** Topics carry alarms to people; locally the people look at the terminal. */
export const topic: ResourceModel<LocalAccount> = {
  uses: ['TopicName'],
  withoutEffect: {
    DisplayName: 'prose',
    KmsMasterKeyId: 'nothing is sent',
    Tags: 'nothing reads tags',
  },
  create({ properties, generatedName }) {
    const arn = `arn:aws:sns:${localRegion}:${localAccount}:${properties.TopicName ?? generatedName}`;
    return { ref: arn, attributes: { TopicArn: arn, TopicName: generatedName } };
  },
};

export const topicPolicy: ResourceModel<LocalAccount> = {
  uses: ['Topics'],
  withoutEffect: { PolicyDocument: 'nothing is sent' },
  create: ({ generatedName }) => ({ ref: generatedName }),
};

export const subscription: ResourceModel<LocalAccount> = {
  uses: ['TopicArn'],
  withoutEffect: { Protocol: 'nothing is sent', Endpoint: 'nothing is sent' },
  create: ({ generatedName }) => ({ ref: generatedName }),
};
