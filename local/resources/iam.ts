import type { LocalAccount } from '../account';
import { localAccount } from '../engines/engine';
import type { ResourceModel } from '../template/resource-model';

export const role: ResourceModel<LocalAccount> = {
  uses: ['RoleName', 'Policies'],
  withoutEffect: {
    AssumeRolePolicyDocument: 'the run hands each role to the service that the template names it for',
    Description: 'prose',
    ManagedPolicyArns: "AWS's own: for what its services do in networks and logs, which are not here",
    Tags: 'nothing reads tags',
    MaxSessionDuration: 'sessions last as long as the run',
  },
  create({ properties, generatedName }, { roles }) {
    const name = (properties.RoleName ?? generatedName).slice(-64);
    roles.declare(name);
    for (const { PolicyDocument } of properties.Policies ?? []) roles.attach(name, PolicyDocument);
    return { ref: name, attributes: { Arn: `arn:aws:iam::${localAccount}:role/${name}`, RoleId: `AROA${name}` } };
  },
};

export const policy: ResourceModel<LocalAccount> = {
  uses: ['PolicyDocument', 'Roles'],
  withoutEffect: { PolicyName: 'a name for people' },
  create({ properties, generatedName }, { roles }) {
    for (const name of properties.Roles ?? []) roles.attach(name, properties.PolicyDocument);
    return { ref: generatedName };
  },
};
