import type { LocalAccount } from '../account';
import { localAccount } from '../engines/engine';
import type { PutEvent } from '../engines/s3';
import type { ResourceModel } from '../template/resource-model';

export const bucket: ResourceModel<LocalAccount> = {
  uses: [
    'BucketName',
    'BucketEncryption',
    'VersioningConfiguration',
    'NotificationConfiguration.EventBridgeConfiguration.EventBridgeEnabled',
  ],
  withoutEffect: {
    LifecycleConfiguration: 'a run is shorter than any lifecycle; the state folder is cleared by the next',
    PublicAccessBlockConfiguration: 'the door listens on 127.0.0.1 only and lets nobody in without a signature',
    OwnershipControls: 'there is one account',
    LoggingConfiguration: 'the door counts every call',
    Tags: 'nothing reads tags',
  },
  async create({ properties, generatedName, previous }, { engines, encryptedWith }) {
    const name =
      properties.BucketName ??
      generatedName
        .toLowerCase()
        .slice(-63)
        .replace(/^[^a-z0-9]+/, '');
    const arn = `arn:aws:s3:::${name}`;
    const encryption =
      properties.BucketEncryption?.ServerSideEncryptionConfiguration?.[0]?.ServerSideEncryptionByDefault;
    if (encryption?.KMSMasterKeyID !== undefined) encryptedWith.set(arn, encryption.KMSMasterKeyID);
    if (properties.NotificationConfiguration?.EventBridgeConfiguration?.EventBridgeEnabled === true)
      engines.s3.onPut((bucketName, object) => {
        if (bucketName === name) engines.eventBridge.announce(objectCreated(name, object));
      });
    if (previous !== undefined) return previous;
    await engines.s3.call('CreateBucket', { Bucket: name });
    if (properties.VersioningConfiguration?.Status === 'Enabled')
      await engines.s3.call('PutBucketVersioning', { Bucket: name, VersioningConfiguration: { Status: 'Enabled' } });
    return {
      ref: name,
      attributes: {
        Arn: arn,
        DomainName: `${name}.s3.amazonaws.com`,
        RegionalDomainName: `${name}.s3.eu-west-1.amazonaws.com`,
      },
    };
  },
};

/** What S3 tells EventBridge of a new object. */
function objectCreated(bucketName: string, { key, size, etag, versionId, sequence }: PutEvent) {
  return {
    source: 'aws.s3',
    'detail-type': 'Object Created',
    resources: [`arn:aws:s3:::${bucketName}`],
    detail: {
      version: '0',
      bucket: { name: bucketName },
      // The key as it is, unlike in S3's own notifications.
      object: { key, size, etag, ...(versionId === undefined ? {} : { 'version-id': versionId }), sequencer: sequence },
      'request-id': sequence,
      requester: localAccount,
      'source-ip-address': '127.0.0.1',
      reason: 'PutObject',
    },
  };
}

export const bucketPolicy: ResourceModel<LocalAccount> = {
  uses: ['Bucket'],
  withoutEffect: {
    PolicyDocument:
      'bucket policies here only refuse what is not TLS; the door has no TLS and listens on 127.0.0.1 only',
  },
  create: ({ properties }) => ({ ref: properties.Bucket }),
};
