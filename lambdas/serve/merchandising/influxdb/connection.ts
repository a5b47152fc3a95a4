import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { readSecret } from '../../../base/runtime/secret';

export interface InfluxDbConnection {
  /** `https://<endpoint>:8086`. */
  readonly url: string;
  readonly secrets: SecretsManagerClient;
  /** Secret with `{"token": "..."}`, which only writes or only reads. */
  readonly tokenSecretArn: string;
}

/** One call of the database, under the token: its path, and what is posted to it. */
export type Post = (path: string, contentType: string, body: string, deadline?: AbortSignal) => Promise<Response>;

/**
 * Posts to the database. The token is read once per container, and once more when the database no longer takes it. Any
 * answer is returned but 401, which is returned only when a fresh token is refused as well.
 */
export function influxDbPost({ url, secrets, tokenSecretArn }: InfluxDbConnection): Post {
  let token: Promise<string> | undefined;

  return async (path, contentType, body, deadline) => {
    const used = currentToken();
    const answer = await send(path, contentType, body, await used, deadline);
    if (answer.status !== 401) return answer;
    // Another call may have noticed first.
    if (token === used) token = undefined;
    return send(path, contentType, body, await currentToken(), deadline);
  };

  function send(
    path: string,
    contentType: string,
    body: string,
    token: string,
    deadline: AbortSignal | undefined,
  ): Promise<Response> {
    const timeout = AbortSignal.timeout(10_000);
    return fetch(`${url}${path}`, {
      method: 'POST',
      headers: { authorization: `Token ${token}`, 'content-type': contentType },
      body,
      signal: deadline === undefined ? timeout : AbortSignal.any([timeout, deadline]),
    });
  }

  function currentToken(): Promise<string> {
    token ??= readToken().catch((error) => {
      // Not kept: the next invocation may be luckier.
      token = undefined;
      throw error;
    });
    return token;
  }

  async function readToken(): Promise<string> {
    const { token } = await readSecret(secrets, tokenSecretArn);
    if (token === undefined) throw new Error(`secret ${tokenSecretArn} holds no token: has it been minted?`);
    return token;
  }
}
