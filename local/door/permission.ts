import { localAccount, localRegion } from '../engines/engine';
import type { ConditionValues } from './conditions';

/** One thing that the caller's role must allow for a call to pass. */
export interface Permission {
  /** The IAM action: `dynamodb:PutItem`. Not always the operation's name. */
  readonly action: string;
  readonly resource: string;
  /** The condition keys that this service supplies with the action. */
  readonly values?: ConditionValues;
}

/** What the permissions of a call depend on beside its input: facts about the provisioned resources. */
export interface ResourceLookup {
  /** The customer-managed key that encrypts a resource (table, stream, bucket, secret), if one does. */
  keyOf(service: string, resourceArn: string): string | undefined;
  /** The ARN of what a call means by a name: a secret's name, a key's id or alias, a workgroup. */
  arnOf?(service: string, name: string): string | undefined;
  /** The ARN of the key that made a ciphertext (base64), for KMS calls that name no key. */
  keyOfCiphertext?(ciphertext: string): string | undefined;
  /** The Athena workgroup in which a query was started, for calls that name the query only. */
  workgroupOf?(queryExecutionId: string): string | undefined;
  /** The name of a table's partition key, for `dynamodb:LeadingKeys`. */
  partitionKeyOf?(tableArn: string): string | undefined;
  /** The ARN of the stream that a shard iterator reads, for `GetRecords` without `StreamARN`. */
  streamOfIterator?(iterator: string): string | undefined;
}

/** The permissions that one operation of a service needs with this input. */
export type PermissionRule = (input: any, lookup: ResourceLookup) => Permission[];

/** The permission rules of one service, by operation. */
export type PermissionRules = Readonly<Record<string, PermissionRule>>;

/** An ARN in the local account and region; a name that is already an ARN stays as it is. */
export function arn(service: string, resource: string, name = ''): string {
  return name.startsWith('arn:') ? name : `arn:aws:${service}:${localRegion}:${localAccount}:${resource}${name}`;
}

/** The use of an encrypted resource's key, which the service makes on behalf of its caller. */
export function keyUse(
  action: 'kms:Decrypt' | 'kms:GenerateDataKey',
  service: string,
  resourceArn: string,
  lookup: ResourceLookup,
  encryptionContext?: Readonly<Record<string, string>>,
): Permission[] {
  const resource = lookup.keyOf(service, resourceArn);
  if (resource === undefined) return [];
  const viaService = `${service}.${localRegion}.amazonaws.com`;
  return [{ action, resource, values: keyValues(encryptionContext, viaService) }];
}

/** The condition keys of a KMS call. */
export function keyValues(
  context: Readonly<Record<string, string>> | undefined,
  viaService: string | undefined,
): ConditionValues {
  return (key) => {
    if (key === 'kms:viaservice') return viaService;
    if (!key.startsWith('kms:encryptioncontext')) return undefined;
    // Services choose a context of their own; where the door does not know it, it must not be taken for none.
    if (context === undefined && viaService !== undefined)
      throw new Error(`condition key '${key}' is not modelled for calls through ${viaService}`);
    const names = Object.keys(context ?? {});
    if (key === 'kms:encryptioncontextkeys') return names;
    const name = names.find((one) => one.toLowerCase() === key.slice('kms:encryptioncontext:'.length));
    return name === undefined ? undefined : context![name];
  };
}
