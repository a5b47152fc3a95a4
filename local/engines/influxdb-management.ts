import { type Access, type Authorization, allows, type Bucket, type Mapping, type Permission } from './influxdb-access';
import { fail, type InfluxRequest, type InfluxResponse, json, noContent } from './influxdb-http';

/** The management API of InfluxDB 2 (`/api/v2/...`), as far as minting tokens and setting retention need it. */
export function manage(access: Access, permissions: readonly Permission[], request: InfluxRequest): InfluxResponse {
  const { method, path, query, body } = request;
  const [, , , kind, id] = path.split('/');
  const input = () => readJson(body);
  switch (`${method} ${kind}${id ? '/:id' : ''}`) {
    case 'GET orgs': {
      const wanted = query.get('org');
      const { org } = access;
      if (org === undefined || (wanted !== null && org.name !== wanted))
        return fail(404, `organization name "${wanted}" not found`);
      return json(200, {
        links: { self: '/api/v2/orgs' },
        orgs: [{ ...org, description: '', links: { self: `/api/v2/orgs/${org.id}` } }],
      });
    }
    case 'GET buckets': {
      const name = query.get('name');
      const found = access.buckets.filter(
        (bucket) => allows(permissions, 'read', 'buckets', bucket.id) && (name === null || bucket.name === name),
      );
      if (name !== null && found.length === 0) return fail(404, `bucket "${name}" not found`);
      return json(200, { links: { self: '/api/v2/buckets' }, buckets: found.map(showBucket) });
    }
    case 'POST buckets': {
      const { name, orgID, retentionRules = [], description = '' } = input();
      if (!allows(permissions, 'write', 'buckets')) return fail(401, `write:orgs/${orgID}/buckets is unauthorized`);
      if (orgID !== access.org?.id) return fail(400, 'organization id must be provided');
      if (!name) return fail(400, 'bucket name required');
      if (access.bucketNamed(name)) return fail(422, `bucket with name ${name} already exists`);
      return json(201, showBucket(access.createBucket(name, retentionOf(retentionRules) ?? 0, description)));
    }
    case 'GET buckets/:id':
    case 'PATCH buckets/:id': {
      const bucket = access.buckets.find((known) => known.id === id);
      if (bucket === undefined) return fail(404, 'bucket not found');
      if (method === 'GET')
        return allows(permissions, 'read', 'buckets', id)
          ? json(200, showBucket(bucket))
          : fail(401, `read:buckets/${id} is unauthorized`);
      if (!allows(permissions, 'write', 'buckets', id)) return fail(401, `write:buckets/${id} is unauthorized`);
      const { name, description, retentionRules = [] } = input();
      const retentionSeconds = retentionOf(retentionRules);
      access.updateBucket(bucket, {
        ...(name && { name }),
        ...(description && { description }),
        ...(retentionSeconds !== undefined && { retentionSeconds }),
      });
      return json(200, showBucket(bucket));
    }
    case 'GET authorizations': {
      const found = allows(permissions, 'read', 'authorizations') ? access.authorizations : [];
      return json(200, {
        links: { self: '/api/v2/authorizations' },
        authorizations: found.map((one) => showAuthorization(access, one)),
      });
    }
    case 'POST authorizations': {
      const { orgID, description = '', permissions: wanted = [] } = input();
      if (!allows(permissions, 'write', 'authorizations'))
        return fail(401, `write:orgs/${orgID}/authorizations is unauthorized`);
      if (orgID !== access.org?.id) return fail(400, 'org id required');
      if (!Array.isArray(wanted) || wanted.length === 0) return fail(400, 'authorization must include permissions');
      return json(201, showAuthorization(access, access.createAuthorization(description, wanted)));
    }
    case 'PATCH authorizations/:id':
    case 'DELETE authorizations/:id': {
      const authorization = access.authorizations.find((known) => known.id === id);
      if (authorization === undefined || !allows(permissions, 'write', 'authorizations', id))
        return fail(404, 'authorization not found');
      if (method === 'DELETE') {
        access.deleteAuthorization(authorization);
        return noContent();
      }
      access.setStatus(authorization, input().status);
      return json(200, showAuthorization(access, authorization));
    }
    case 'GET dbrps': {
      const [database, bucket] = [query.get('db'), query.get('bucketID')];
      const found = access
        .mappings()
        .filter(({ bucketId }) => allows(permissions, 'read', 'buckets', bucketId))
        .filter(
          (mapping) =>
            (database === null || mapping.database === database) && (bucket === null || mapping.bucketId === bucket),
        );
      return json(200, { content: found.map(showMapping) });
    }
    case 'POST dbrps': {
      const { bucketID, database, retention_policy: policy, default: isDefault = false } = input();
      if (access.bucket(bucketID) === undefined) return fail(400, 'invalid bucket ID');
      if (!allows(permissions, 'write', 'buckets', bucketID))
        return fail(401, `write:buckets/${bucketID} is unauthorized`);
      if (!database || !policy) return fail(400, 'dbrp invalid: database and retention_policy are required');
      if (
        access.mappings().some((known) => !known.isVirtual && known.database === database && known.policy === policy)
      ) {
        return fail(422, 'another DBRP mapping with same orgID, db, and rp exists');
      }
      return json(201, showMapping(access.createMapping({ bucketId: bucketID, database, policy, isDefault })));
    }
    default:
      return fail(404, `path not found: ${method} ${path} is not modelled locally`);
  }
}

function retentionOf(rules: { everySeconds?: number }[]): number | undefined {
  return rules[0]?.everySeconds;
}

const showBucket = ({ id, orgId, name, description, retentionSeconds, createdAt, updatedAt }: Bucket) => ({
  id,
  orgID: orgId,
  type: 'user',
  name,
  description,
  retentionRules: [{ type: 'expire', everySeconds: retentionSeconds, shardGroupDurationSeconds: 604_800 }],
  createdAt,
  updatedAt,
  links: {
    self: `/api/v2/buckets/${id}`,
    org: `/api/v2/orgs/${orgId}`,
    write: `/api/v2/write?org=${orgId}&bucket=${id}`,
  },
  labels: [],
});

const showAuthorization = (
  { org, user }: Access,
  { id, token, status, description, orgId, permissions, createdAt }: Authorization,
) => ({
  id,
  token,
  status,
  description,
  orgID: orgId,
  org: org?.name,
  userID: user?.id,
  user: user?.name,
  permissions,
  createdAt,
  updatedAt: createdAt,
  links: { self: `/api/v2/authorizations/${id}`, user: `/api/v2/users/${user?.id}` },
});

const showMapping = ({ id, orgId, bucketId, database, policy, isDefault, isVirtual }: Mapping) => ({
  id,
  orgID: orgId,
  bucketID: bucketId,
  database,
  retention_policy: policy,
  default: isDefault,
  ...(isVirtual && { virtual: true }),
});

function readJson(body: Buffer): any {
  try {
    return JSON.parse(body.toString());
  } catch {
    return {};
  }
}
