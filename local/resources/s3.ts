import type { LocalAccount } from '../account';
import type { ResourceModel } from '../template/resource-model';

export const bucket: ResourceModel<LocalAccount> = {
  uses: ['BucketName', 'BucketEncryption', 'VersioningConfiguration'],
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

export const bucketPolicy: ResourceModel<LocalAccount> = {
  uses: ['Bucket'],
  withoutEffect: {
    PolicyDocument:
      'bucket policies here only refuse what is not TLS; the door has no TLS and listens on 127.0.0.1 only',
  },
  create: ({ properties }) => ({ ref: properties.Bucket }),
};
