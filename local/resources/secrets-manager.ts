import type { LocalAccount } from '../account';
import type { ResourceModel } from '../template/resource-model';

export const secret: ResourceModel<LocalAccount> = {
  uses: ['Name', 'GenerateSecretString', 'SecretString', 'KmsKeyId'],
  withoutEffect: { Description: 'prose', Tags: 'nothing reads tags' },
  async create({ properties, generatedName, previous }, { engines, encryptedWith }) {
    const created = previous ?? (await make());
    if (properties.KmsKeyId !== undefined) encryptedWith.set(created.ref, properties.KmsKeyId);
    return created;

    async function make() {
      const { Name = generatedName, GenerateSecretString, SecretString } = properties;
      const { ARN } = await engines.secretsManager.call('CreateSecret', {
        Name,
        ...(GenerateSecretString === undefined ? {} : { GenerateSecretString }),
        ...(SecretString === undefined ? {} : { SecretString }),
      });
      return { ref: ARN as string, attributes: { Id: ARN as string } };
    }
  },
};
