import { randomUUID } from 'node:crypto';
import type { LocalAccount } from '../account';
import type { ResourceModel } from '../template/resource-model';

/**
 * A step of the deployment that a function does: invoked as CloudFormation invokes it, with an address for the outcome.
 * Every run invokes it as a creation; such steps bear a repeat.
 */
export const custom: ResourceModel<LocalAccount> = {
  // What a step is given is up to the step.
  uses: 'all',
  async create({ type, properties, stackName, logicalId, generatedName }, { invoke, outcomes }) {
    const outcome = outcomes.expect();
    const functionName = /function:([^:]+)/.exec(properties.ServiceToken)?.[1];
    if (functionName === undefined)
      throw new Error(`${generatedName}: its ServiceToken names no function: ${properties.ServiceToken}`);
    const result = await invoke(functionName, {
      RequestType: 'Create',
      RequestId: randomUUID(),
      ResponseURL: outcome.url,
      StackId: stackName,
      LogicalResourceId: logicalId,
      ResourceType: type,
      ResourceProperties: properties,
    });
    if (result.functionError !== undefined)
      throw new Error(`${generatedName}: ${functionName} failed: ${result.payload}`);
    const { Status, Reason, PhysicalResourceId, Data } = await outcome.received;
    if (Status !== 'SUCCESS') throw new Error(`${generatedName}: ${Reason}`);
    return { ref: PhysicalResourceId, attributes: Data ?? {} };
  },
};
