import type { LocalAccount } from '../account';
import type { ResourceModel } from '../template/resource-model';

/** The engine itself refuses what it does not know of the definition. */
export const stateMachine: ResourceModel<LocalAccount> = {
  uses: ['StateMachineName', 'StateMachineType', 'DefinitionString', 'RoleArn', 'EncryptionConfiguration'],
  withoutEffect: { Tags: 'nothing reads tags', TracingConfiguration: 'there is one process to look at' },
  async create({ properties, generatedName }, { engines, encryptedWith }) {
    const name = properties.StateMachineName ?? generatedName.slice(0, 80);
    const { stateMachineArn } = await engines.stepFunctions.call('CreateStateMachine', {
      name,
      definition: properties.DefinitionString,
      roleArn: properties.RoleArn,
      ...(properties.StateMachineType === undefined ? {} : { type: properties.StateMachineType }),
    });
    const { Type, KmsKeyId } = properties.EncryptionConfiguration ?? {};
    if (Type === 'CUSTOMER_MANAGED_KMS_KEY') encryptedWith.set(stateMachineArn, KmsKeyId);
    return { ref: stateMachineArn, attributes: { Arn: stateMachineArn, Name: name } };
  },
};
