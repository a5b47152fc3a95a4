import {
  keyUse,
  keyValues,
  type Permission,
  type PermissionRule,
  type PermissionRules,
  type ResourceLookup,
} from './permission';

/** What each S3 operation needs. */
export const s3Permissions: PermissionRules = {
  PutObject: (input, lookup) => [
    ...onObject('s3:PutObject', input),
    ...(input.Tagging === undefined ? [] : onObject('s3:PutObjectTagging', input)),
    ...(input.ObjectLockMode === undefined ? [] : onObject('s3:PutObjectRetention', input)),
    ...(input.ObjectLockLegalHoldStatus === undefined ? [] : onObject('s3:PutObjectLegalHold', input)),
    ...writeKey(input, lookup),
  ],
  GetObject: (input, lookup) => [...readObject(input), ...bucketKey('kms:Decrypt', input.Bucket, lookup)],
  HeadObject: (input) => readObject(input),
  DeleteObject: (input) =>
    onObject(input.VersionId === undefined ? 's3:DeleteObject' : 's3:DeleteObjectVersion', input),
  DeleteObjects: (input) =>
    (input.Delete?.Objects ?? []).flatMap(({ Key, VersionId }: any) =>
      onObject(VersionId === undefined ? 's3:DeleteObject' : 's3:DeleteObjectVersion', { Bucket: input.Bucket, Key }),
    ),
  CopyObject: (input, lookup) => {
    const source = copySource(input.CopySource);
    return [
      ...readObject(source),
      ...bucketKey('kms:Decrypt', source.Bucket, lookup),
      ...onObject('s3:PutObject', input),
      ...writeKey(input, lookup),
    ];
  },
  ListObjectsV2: listBucket('s3:ListBucket'),
  ListObjects: listBucket('s3:ListBucket'),
  ListObjectVersions: listBucket('s3:ListBucketVersions'),
  HeadBucket: onBucket('s3:ListBucket'),
  GetBucketLocation: onBucket('s3:GetBucketLocation'),
  GetBucketVersioning: onBucket('s3:GetBucketVersioning'),
  PutBucketVersioning: onBucket('s3:PutBucketVersioning'),
  CreateBucket: onBucket('s3:CreateBucket'),
  DeleteBucket: onBucket('s3:DeleteBucket'),
  ListBuckets: () => [{ action: 's3:ListAllMyBuckets', resource: '*' }],
};

/** The bucket, key and version that a copy reads: `bucket/key?versionId=v`, encoded. */
export function copySource(text: string): { Bucket: string; Key: string; VersionId?: string } {
  const [path = '', versionId] = text.replace(/^\//, '').split('?versionId=');
  const slash = path.indexOf('/');
  const source = { Bucket: path.slice(0, slash), Key: decodeURIComponent(path.slice(slash + 1)) };
  return versionId === undefined ? source : { ...source, VersionId: versionId };
}

/** What a caller needs to be told that an object does not exist, rather than just being refused. */
export function absencePermission({ Bucket, Key }: any): Permission {
  return { action: 's3:ListBucket', resource: `arn:aws:s3:::${Bucket}`, values: prefixValue(Key) };
}

function onObject(action: string, { Bucket, Key }: any): Permission[] {
  return [{ action, resource: `arn:aws:s3:::${Bucket}/${Key}` }];
}

function readObject(input: any): Permission[] {
  return onObject(input.VersionId === undefined ? 's3:GetObject' : 's3:GetObjectVersion', input);
}

function onBucket(action: string): PermissionRule {
  return ({ Bucket }) => [{ action, resource: `arn:aws:s3:::${Bucket}` }];
}

function listBucket(action: string): PermissionRule {
  return ({ Bucket, Prefix }) => [{ action, resource: `arn:aws:s3:::${Bucket}`, values: prefixValue(Prefix) }];
}

function prefixValue(prefix: string | undefined): (key: string) => string | undefined {
  return (key) => (key === 's3:prefix' ? prefix : undefined);
}

function writeKey(input: any, lookup: ResourceLookup): Permission[] {
  if (input.SSEKMSKeyId === undefined) return bucketKey('kms:GenerateDataKey', input.Bucket, lookup);
  const named: string = input.SSEKMSKeyId;
  const resource = named.startsWith('arn:') ? named : lookup.arnOf?.('kms', named);
  if (resource === undefined) throw new Error(`the key '${named}' is not known: use a key's ARN`);
  const [allowed] = bucketKey('kms:GenerateDataKey', input.Bucket, { keyOf: () => resource });
  return [{ ...allowed!, values: allowed!.values ?? keyValues(undefined, undefined) }];
}

function bucketKey(
  action: 'kms:Decrypt' | 'kms:GenerateDataKey',
  bucket: string,
  lookup: ResourceLookup,
): Permission[] {
  return keyUse(action, 's3', `arn:aws:s3:::${bucket}`, lookup);
}
