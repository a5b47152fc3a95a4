import type { LocalAccount } from '../account';
import type { ResourceModel } from '../template/resource-model';

export const queue: ResourceModel<LocalAccount> = {
  uses: [
    ...['QueueName', 'VisibilityTimeout', 'MessageRetentionPeriod', 'MaximumMessageSize', 'DelaySeconds'],
    ...['KmsMasterKeyId', 'SqsManagedSseEnabled'],
  ],
  withoutEffect: { KmsDataKeyReusePeriodSeconds: 'nothing is encrypted', Tags: 'nothing reads tags' },
  async create({ properties, generatedName, previous }, { engines, encryptedWith }) {
    const { QueueName, ...attributes } = properties;
    if (attributes.DelaySeconds)
      throw new Error(`${generatedName}: DelaySeconds is not modelled locally: leave it out`);
    const name = QueueName ?? generatedName.slice(-80);
    const { QueueUrl } =
      previous === undefined
        ? await engines.sqs.call('CreateQueue', { QueueName: name, Attributes: attributes })
        : await engines.sqs.call('GetQueueUrl', { QueueName: name });
    const { Attributes } = await engines.sqs.call('GetQueueAttributes', { QueueUrl, AttributeNames: ['QueueArn'] });
    if (attributes.KmsMasterKeyId !== undefined) encryptedWith.set(Attributes.QueueArn, attributes.KmsMasterKeyId);
    return { ref: QueueUrl, attributes: { Arn: Attributes.QueueArn, QueueName: name, QueueUrl } };
  },
};

export const queuePolicy: ResourceModel<LocalAccount> = {
  uses: ['Queues', 'PolicyDocument'],
  async create({ properties, generatedName }, { engines }) {
    const Attributes = { Policy: JSON.stringify(properties.PolicyDocument) };
    for (const QueueUrl of properties.Queues) await engines.sqs.call('SetQueueAttributes', { QueueUrl, Attributes });
    return { ref: generatedName };
  },
};
