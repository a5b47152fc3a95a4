import type { ConditionValues } from './conditions';
import { IdentityPolicies, type PolicyDocument } from './policy';

/** A policy that a resource has: its statements say who, besides what and on which terms. */
export interface ResourcePolicy {
  readonly Statement: readonly any[] | any;
}

/** Whether a resource's policy lets an AWS service (`events.amazonaws.com`) do this. */
export function allowsService(
  policy: ResourcePolicy | undefined,
  service: string,
  action: string,
  resource: string,
  values: ConditionValues,
): boolean {
  const statements = [policy?.Statement ?? []].flat();
  const meant = statements
    .filter(({ Principal }) => isMeant(Principal, service))
    .map(({ Principal: _, ...rest }) => rest);
  if (meant.length === 0) return false;
  const document = { Statement: meant } as PolicyDocument;
  return new IdentityPolicies([document]).decide(action, resource, values) === 'allowed';
}

function isMeant(principal: any, service: string): boolean {
  return principal === '*' || principal?.AWS === '*' || [principal?.Service ?? []].flat().includes(service);
}
