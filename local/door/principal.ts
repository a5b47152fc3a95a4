import { localAccount } from '../engines/engine';

/** Who makes a call. */
export interface Principal {
  /** The ARN as AWS names it in messages: an assumed role's session, or a user. */
  readonly arn: string;
  /** The role whose identity policies apply. */
  readonly roleName?: string;
  /** The function whose own code makes the call. Not set for what Lambda or Firehose does under the function's role. */
  readonly functionName?: string;
  /** May do everything: the person at the keyboard, and the provisioning. */
  readonly administrator?: boolean;
}

/** What the door knows of one access key. */
export interface Credential {
  readonly secretAccessKey: string;
  /** Present for a role's temporary credentials: each request must carry it. */
  readonly sessionToken?: string;
  readonly principal: Principal;
}

/** The access keys of the local account, by id. */
export interface CredentialRegistry {
  get(accessKeyId: string): Credential | undefined;
}

/** The principal of a session of a role: a function's code, or a service that acts for it. */
export function roleSession(roleName: string, session: string, functionName?: string): Principal {
  const arn = `arn:aws:sts::${localAccount}:assumed-role/${roleName}/${session}`;
  return functionName === undefined ? { arn, roleName } : { arn, roleName, functionName };
}

/** The ARN under which databases know a caller: the role itself, not its session. */
export function callerArn({ arn, roleName }: Principal): string {
  return roleName === undefined ? arn : `arn:aws:iam::${localAccount}:role/${roleName}`;
}
