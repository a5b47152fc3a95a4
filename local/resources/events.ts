import type { LocalAccount } from '../account';
import type { ResourceModel } from '../template/resource-model';

/** Buses, rules and archives are declared anew by every run; what an archive holds stays. */
export const eventBus: ResourceModel<LocalAccount> = {
  uses: ['Name'],
  withoutEffect: {
    Description: 'prose',
    KmsKeyIdentifier: 'events are plain files in the state folder, for people to read',
    'DeadLetterConfig.Arn': 'it takes events that cannot be decrypted, and nothing is encrypted',
    Tags: 'nothing reads tags',
  },
  async create({ properties }, { engines }) {
    const { EventBusArn } = await engines.eventBridge.call('CreateEventBus', { Name: properties.Name });
    return { ref: properties.Name, attributes: { Arn: EventBusArn, Name: properties.Name } };
  },
};

export const eventBusPolicy: ResourceModel<LocalAccount> = {
  uses: ['EventBusName'],
  withoutEffect: {
    StatementId: 'it speaks of other accounts, and there is one',
    Statement: 'it speaks of other accounts, and there is one',
  },
  create: ({ generatedName }) => ({ ref: generatedName }),
};

export const rule: ResourceModel<LocalAccount> = {
  uses: [
    ...['Name', 'EventBusName', 'EventPattern', 'State'],
    ...['Targets.Id', 'Targets.Arn', 'Targets.RetryPolicy', 'Targets.DeadLetterConfig'],
  ],
  withoutEffect: { Description: 'prose', Tags: 'nothing reads tags' },
  async create({ properties, generatedName }, { engines: { eventBridge } }) {
    const { EventBusName, EventPattern, State, Targets = [] } = properties;
    const Name = properties.Name ?? generatedName.slice(-64);
    const { RuleArn } = await eventBridge.call('PutRule', {
      Name,
      EventBusName,
      EventPattern: JSON.stringify(EventPattern),
      State,
    });
    if (Targets.length > 0) await eventBridge.call('PutTargets', { Rule: Name, EventBusName, Targets });
    return { ref: EventBusName === undefined ? Name : `${EventBusName}|${Name}`, attributes: { Arn: RuleArn } };
  },
};

export const archive: ResourceModel<LocalAccount> = {
  uses: ['ArchiveName', 'SourceArn', 'EventPattern', 'RetentionDays'],
  withoutEffect: {
    Description: 'prose',
    KmsKeyIdentifier: 'events are plain files in the state folder, for people to read',
  },
  async create({ properties, generatedName }, { engines }) {
    const { SourceArn, EventPattern, RetentionDays } = properties;
    // AWS takes 48 characters.
    const ArchiveName = properties.ArchiveName ?? generatedName.slice(-48);
    const { ArchiveArn } = await engines.eventBridge.call('CreateArchive', {
      ArchiveName,
      EventSourceArn: SourceArn,
      ...(EventPattern === undefined ? {} : { EventPattern: JSON.stringify(EventPattern) }),
      RetentionDays,
    });
    return { ref: ArchiveName, attributes: { Arn: ArchiveArn, ArchiveName } };
  },
};
