import { AwsError } from '../engines/engine';
import type { SignatureError, SignatureFault } from './signature';

/** How a family of services answers: JSON services, S3, and those in front of functions (Lambda, API Gateway). */
export type AnswerStyle = 'json' | 's3' | 'rest';

const jsonCodes: Readonly<Record<SignatureFault, string>> = {
  missing: 'MissingAuthenticationTokenException',
  incomplete: 'IncompleteSignatureException',
  'unknown-key': 'UnrecognizedClientException',
  'bad-token': 'UnrecognizedClientException',
  'wrong-scope': 'InvalidSignatureException',
  mismatch: 'InvalidSignatureException',
  skewed: 'InvalidSignatureException',
  expired: 'InvalidSignatureException',
  'payload-mismatch': 'InvalidSignatureException',
  unsupported: 'InvalidSignatureException',
};

const s3Codes: Readonly<Record<SignatureFault, readonly [string, number]>> = {
  missing: ['AccessDenied', 403],
  incomplete: ['AuthorizationHeaderMalformed', 400],
  'unknown-key': ['InvalidAccessKeyId', 403],
  'bad-token': ['InvalidToken', 400],
  'wrong-scope': ['AuthorizationHeaderMalformed', 400],
  mismatch: ['SignatureDoesNotMatch', 403],
  skewed: ['RequestTimeTooSkewed', 403],
  expired: ['RequestTimeTooSkewed', 403],
  'payload-mismatch': ['XAmzContentSHA256Mismatch', 400],
  unsupported: ['NotImplemented', 501],
};

/** A refused signature as an error of the service that was called. */
export function signatureAnswer({ fault, message }: SignatureError, style: AnswerStyle): AwsError {
  if (style === 's3') return new AwsError(s3Codes[fault][0], message, s3Codes[fault][1]);
  return new AwsError(jsonCodes[fault], message, style === 'rest' ? 403 : 400);
}
