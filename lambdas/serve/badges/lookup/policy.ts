import type { BadgePolicy } from '../../../base/domain/badge';

/** Reads the policy that the stage gives, as JSON: one that is not whole stops the function at once. */
export function readPolicy(text: string): BadgePolicy {
  const policy = JSON.parse(text) as BadgePolicy;
  if (typeof policy.version !== 'string' || policy.version === '') throw new Error('badge policy: version is missing');
  for (const name of ['maximumAgeSeconds', 'safetyStock', 'capacityShare'] as const)
    if (!Number.isFinite(policy[name]) || policy[name] < 0)
      throw new Error(`badge policy: ${name}: got ${policy[name]}, allowed: a number of at least 0`);
  return policy;
}
