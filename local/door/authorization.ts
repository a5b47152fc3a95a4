import { AwsError, localRegion } from '../engines/engine';
import { permissionsFor } from './actions';
import type { Permission, ResourceLookup } from './permission';
import { type Decision, IdentityPolicies, type PolicyDocument } from './policy';
import type { Principal } from './principal';
import { absencePermission } from './s3-permissions';

/** Enforces the identity policies of the caller's role, for every call that passes the door. */
export class Authorization {
  readonly #lookup: ResourceLookup;
  readonly #roles = new Map<string, IdentityPolicies>();

  constructor(lookup: ResourceLookup) {
    this.#lookup = lookup;
  }

  /** Sets the identity policies of a role, in place of those that it had. */
  registerRole(roleName: string, documents: readonly PolicyDocument[]): void {
    this.#roles.set(roleName, new IdentityPolicies(documents));
  }

  /** Throws AccessDenied, in the words of AWS, unless the caller's role allows all that this call needs. */
  check(principal: Principal, service: string, operation: string, input: unknown): void {
    if (principal.administrator === true) return;
    try {
      for (const permission of permissionsFor(service, operation, input, this.#lookup)) {
        const decision = this.#decide(principal, permission);
        if (decision !== 'allowed') throw denied(principal, service, permission, decision);
      }
    } catch (error) {
      throw error instanceof AwsError ? error : notModelled(principal, service, operation, error as Error);
    }
  }

  /** S3 tells only those who may list the bucket that an object does not exist; all others are just refused. */
  hideAbsence(principal: Principal, service: string, operation: string, input: unknown, error: unknown): unknown {
    if (service !== 's3' || (operation !== 'GetObject' && operation !== 'HeadObject')) return error;
    if (principal.administrator === true || !(error instanceof AwsError)) return error;
    if (error.code !== 'NoSuchKey' && error.code !== 'NotFound') return error;
    const permission = absencePermission(input);
    const decision = this.#decide(principal, permission);
    return decision === 'allowed' ? error : denied(principal, service, permission, decision);
  }

  #decide({ arn, roleName }: Principal, { action, resource, values }: Permission): Decision {
    const policies = roleName === undefined ? undefined : this.#roles.get(roleName);
    if (policies === undefined) throw new Error(`the policies of role '${roleName}' are not registered`);
    return policies.decide(action, resource, (key) => {
      if (key === 'aws:principalarn') return arn;
      if (key === 'aws:requestedregion') return localRegion;
      // The loopback interface stands for TLS.
      if (key === 'aws:securetransport') return 'true';
      return values?.(key);
    });
  }
}

function denied({ arn }: Principal, service: string, permission: Permission, decision: Decision): AwsError {
  const { action, resource } = permission;
  const reason =
    decision === 'denied explicitly'
      ? 'with an explicit deny in an identity-based policy'
      : `because no identity-based policy allows the ${action} action`;
  const message = `User: ${arn} is not authorized to perform: ${action} on resource: ${resource} ${reason}`;
  if (service === 's3') return new AwsError('AccessDenied', message, 403);
  if (service === 'kinesis' && action.startsWith('kms:')) return new AwsError('KMSAccessDeniedException', message);
  return new AwsError('AccessDeniedException', message, service === 'lambda' || service === 'execute-api' ? 403 : 400);
}

/** A gap of the local run: neither allowed nor denied, and not worth a retry. */
function notModelled({ arn }: Principal, service: string, operation: string, { message }: Error): AwsError {
  return new AwsError('NotModelledException', `${service}:${operation} by ${arn}: ${message}`, 501);
}
