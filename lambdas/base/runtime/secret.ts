import { GetSecretValueCommand, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager';

/** Reads a secret that holds a JSON object. A failure says which secret, never what stands in it: a parser would quote it. */
export async function readSecret(
  secrets: SecretsManagerClient,
  secretArn: string,
): Promise<Readonly<Record<string, string>>> {
  const { SecretString } = await secrets.send(new GetSecretValueCommand({ SecretId: secretArn }));
  try {
    return JSON.parse(SecretString ?? '{}');
  } catch {
    throw new Error(`secret ${secretArn} holds no JSON`);
  }
}
