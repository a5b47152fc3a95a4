/** The management API of InfluxDB 2, as far as a deployment needs it. `database` and `bucket` mean the same here. */
export interface Administration {
  /** Creates the bucket, or gives it this retention; returns its id. 0 days: kept for ever. */
  ensureBucket(name: string, retentionDays: number): Promise<string>;
  hasToken(id: string): Promise<boolean>;
  /** Replaces the token of this description by a new one with one permission on these buckets. */
  mintToken(description: string, action: 'read' | 'write', bucketIds: readonly string[]): Promise<MintedToken>;
}

export interface MintedToken {
  /** By which the database lists it; the token itself it may have forgotten. */
  readonly id: string;
  readonly token: string;
}

interface Listed {
  readonly id: string;
  readonly name?: string;
  readonly description?: string;
}

/** Signs in as the instance's first user. `organization` is the one the instance was created with. */
export async function administrationOf(
  url: string,
  organization: string,
  user: { readonly username: string; readonly password: string },
): Promise<Administration> {
  const signedIn = await fetch(`${url}/api/v2/signin`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${user.username}:${user.password}`).toString('base64')}` },
    signal: AbortSignal.timeout(10_000),
  });
  if (!signedIn.ok) throw new Error(`InfluxDB refused the first user: HTTP ${signedIn.status}`);
  const cookie = signedIn.headers
    .getSetCookie()
    .map((part) => part.split(';', 1)[0])
    .join('; ');
  const { orgs } = await request<{ orgs: Listed[] }>('GET', `/api/v2/orgs?org=${encodeURIComponent(organization)}`);
  const orgID = orgs?.[0]?.id;
  if (orgID === undefined) throw new Error(`InfluxDB has no organization '${organization}'`);

  return {
    async ensureBucket(name, retentionDays) {
      // 0 seconds are for ever. No rule at all would leave an existing bucket's retention as it was.
      const retentionRules = [{ type: 'expire', everySeconds: retentionDays * 86_400 }];
      const found = await request<{ buckets?: Listed[] }>(
        'GET',
        `/api/v2/buckets?orgID=${orgID}&name=${encodeURIComponent(name)}`,
        undefined,
        [404],
      );
      const existing = found.buckets?.find((bucket) => bucket.name === name);
      const bucket =
        existing === undefined
          ? await request<Listed>('POST', '/api/v2/buckets', { orgID, name, retentionRules })
          : await request<Listed>('PATCH', `/api/v2/buckets/${existing.id}`, { retentionRules });
      return bucket.id;
    },

    async hasToken(id) {
      return (await tokens()).some((token) => token.id === id);
    },

    async mintToken(description, action, bucketIds) {
      for (const known of await tokens())
        if (known.description === description) await request('DELETE', `/api/v2/authorizations/${known.id}`);
      const permissions = bucketIds.map((id) => ({ action, resource: { type: 'buckets', id, orgID } }));
      const { id, token } = await request<MintedToken>('POST', '/api/v2/authorizations', {
        orgID,
        description,
        permissions,
      });
      return { id, token };
    },
  };

  async function tokens(): Promise<Listed[]> {
    return (await request<{ authorizations: Listed[] }>('GET', `/api/v2/authorizations?orgID=${orgID}`)).authorizations;
  }

  async function request<T>(method: string, path: string, body?: object, allowed: readonly number[] = []): Promise<T> {
    const answer = await fetch(`${url}${path}`, {
      method,
      headers: { cookie, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(10_000),
    });
    const text = await answer.text();
    // The answer to a refused request names what is wrong; it never holds a token.
    if (!answer.ok && !allowed.includes(answer.status))
      throw new Error(
        `InfluxDB refused ${method} ${path.split('?', 1)[0]}: HTTP ${answer.status}: ${text.slice(0, 200)}`,
      );
    return text === '' ? ({} as T) : JSON.parse(text);
  }
}
