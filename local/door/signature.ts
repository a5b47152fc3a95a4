import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { localRegion } from '../engines/engine';
import { canonicalPath, canonicalQuery } from './canonical-request';
import type { CredentialRegistry, Principal } from './principal';

/** Why a signature was not accepted; each protocol words it in its own way. */
export type SignatureFault =
  | 'missing'
  | 'incomplete'
  | 'unknown-key'
  | 'bad-token'
  | 'wrong-scope'
  | 'mismatch'
  | 'skewed'
  | 'expired'
  | 'payload-mismatch'
  | 'unsupported';

/** A request without a valid signature. */
export class SignatureError extends Error {
  constructor(
    readonly fault: SignatureFault,
    message: string,
  ) {
    super(message);
    this.name = 'SignatureError';
  }
}

/** The parts of a request that are signed. */
export interface SignedRequest {
  readonly method: string;
  /** The path as sent, still encoded, without the query. */
  readonly path: string;
  /** The query as sent, without the question mark. */
  readonly query: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

interface Claim {
  readonly accessKeyId: string;
  readonly day: string;
  readonly region: string;
  readonly service: string;
  readonly signedHeaders: string;
  readonly signature: string;
  readonly timestamp: string;
  readonly sessionToken: string | undefined;
  /** Seconds that a presigned URL is good for. */
  readonly expiresSeconds?: number;
}

const algorithm = 'AWS4-HMAC-SHA256';
const clockSkewMs = 5 * 60 * 1000;
const maxCachedKeys = 1000;
const mismatch =
  'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.';

/** Checks signatures (version 4, in the header or in a presigned query) and says whose they are. */
export class SignatureVerifier {
  readonly #credentials: CredentialRegistry;
  readonly #now: () => number;
  /** By secret and scope, since a key holds for a whole day: four HMACs saved per request. */
  readonly #signingKeys = new Map<string, Buffer>();

  constructor(credentials: CredentialRegistry, now: () => number = Date.now) {
    this.#credentials = credentials;
    this.#now = now;
  }

  /** The principal that signed this request for this service. Throws `SignatureError`. */
  verify(request: SignedRequest, service: string): Principal {
    const authorization = request.headers.authorization;
    const claim = authorization === undefined ? claimOfQuery(request) : claimOfHeader(authorization, request.headers);
    const credential = this.#credentials.get(claim.accessKeyId);
    if (credential === undefined)
      throw new SignatureError('unknown-key', 'The security token included in the request is invalid.');
    if (credential.sessionToken !== claim.sessionToken)
      throw new SignatureError('bad-token', 'The security token included in the request is invalid.');
    checkScope(claim, service);
    this.#checkTime(claim);

    const canonicalRequest = canonical(request, claim, payloadHash(request, claim, service));
    const scope = `${claim.day}/${claim.region}/${claim.service}/aws4_request`;
    const toSign = `${algorithm}\n${claim.timestamp}\n${scope}\n${sha256(canonicalRequest)}`;
    const expected = createHmac('sha256', this.#signingKey(credential.secretAccessKey, claim)).update(toSign).digest();
    const got = Buffer.from(claim.signature, 'hex');
    if (got.length !== expected.length || !timingSafeEqual(got, expected))
      throw new SignatureError('mismatch', mismatch);
    return credential.principal;
  }

  #checkTime({ timestamp, expiresSeconds }: Claim): void {
    const signedAt = Date.parse(
      timestamp.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'), // the basic form of ISO 8601
    );
    if (Number.isNaN(signedAt)) throw new SignatureError('incomplete', `Date '${timestamp}' is not ISO 8601 basic`);
    const now = this.#now();
    const limit = signedAt + (expiresSeconds === undefined ? clockSkewMs : expiresSeconds * 1000);
    const clock = new Date(now).toISOString().replace(/[-:]|\.\d+/g, '');
    if (now > limit)
      throw new SignatureError('expired', `Signature expired: ${timestamp} is now earlier than ${clock}`);
    if (signedAt > now + clockSkewMs)
      throw new SignatureError('skewed', `Signature not yet current: ${timestamp} is still later than ${clock}`);
  }

  #signingKey(secret: string, { day, region, service }: Claim): Buffer {
    const id = `${secret}/${day}/${region}/${service}`;
    const known = this.#signingKeys.get(id);
    if (known !== undefined) return known;
    let key: Buffer | string = `AWS4${secret}`;
    for (const part of [day, region, service, 'aws4_request']) key = createHmac('sha256', key).update(part).digest();
    if (this.#signingKeys.size >= maxCachedKeys) this.#signingKeys.clear();
    this.#signingKeys.set(id, key as Buffer);
    return key as Buffer;
  }
}

function claimOfHeader(authorization: string, headers: IncomingHttpHeaders): Claim {
  if (!authorization.startsWith(`${algorithm} `)) throw missing();
  const field = (name: string): string => {
    const start = authorization.indexOf(name);
    if (start === -1)
      throw new SignatureError('incomplete', `Authorization header requires '${name.slice(0, -1)}' parameter.`);
    const end = authorization.indexOf(',', start);
    return authorization.slice(start + name.length, end === -1 ? undefined : end).trim();
  };
  const timestamp = headers['x-amz-date'];
  if (typeof timestamp !== 'string')
    throw new SignatureError('incomplete', "Authorization header requires existence of 'X-Amz-Date' header.");
  return {
    ...scopeOf(field('Credential=')),
    signedHeaders: field('SignedHeaders='),
    signature: field('Signature='),
    timestamp,
    sessionToken: headers['x-amz-security-token'] as string | undefined,
  };
}

function claimOfQuery({ query }: SignedRequest): Claim {
  if (!query.includes('X-Amz-Signature=')) throw missing();
  const parameters = new URLSearchParams(query);
  const field = (name: string): string => {
    const value = parameters.get(name);
    if (value === null) throw new SignatureError('incomplete', `the query requires the parameter '${name}'`);
    return value;
  };
  const expiresSeconds = Number(field('X-Amz-Expires'));
  if (!(expiresSeconds >= 1 && expiresSeconds <= 604_800))
    throw new SignatureError('incomplete', 'X-Amz-Expires must be from 1 to 604800 seconds');
  return {
    ...scopeOf(field('X-Amz-Credential')),
    signedHeaders: field('X-Amz-SignedHeaders'),
    signature: field('X-Amz-Signature'),
    timestamp: field('X-Amz-Date'),
    sessionToken: parameters.get('X-Amz-Security-Token') ?? undefined,
    expiresSeconds,
  };
}

function scopeOf(credential: string): Pick<Claim, 'accessKeyId' | 'day' | 'region' | 'service'> {
  const [accessKeyId, day, region, service, end, ...rest] = credential.split('/');
  if (!accessKeyId || !day || !region || !service || end !== 'aws4_request' || rest.length > 0)
    throw new SignatureError('incomplete', 'Credential must have the form KEY/DAY/REGION/SERVICE/aws4_request');
  return { accessKeyId, day, region, service };
}

function checkScope({ day, region, service, timestamp, signedHeaders }: Claim, expected: string): void {
  if (service !== expected)
    throw new SignatureError('wrong-scope', `Credential should be scoped to correct service: '${expected}'.`);
  if (region !== localRegion)
    throw new SignatureError('wrong-scope', `Credential should be scoped to a valid region: '${localRegion}'.`);
  if (!timestamp.startsWith(day))
    throw new SignatureError('wrong-scope', `Date in Credential scope does not match that of X-Amz-Date: '${day}'.`);
  if (!/(^|;)(host|:authority)(;|$)/.test(signedHeaders))
    throw new SignatureError('mismatch', "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.");
}

function canonical({ method, path, query, headers }: SignedRequest, claim: Claim, hash: string): string {
  let lines = '';
  for (const name of claim.signedHeaders.split(';')) {
    const value = headers[name];
    const text = Array.isArray(value) ? value.join(',') : (value ?? '');
    lines += `${name}:${text.includes('  ') ? text.trim().replace(/ +/g, ' ') : text.trim()}\n`;
  }
  const uri = canonicalPath(path, claim.service === 's3');
  return `${method}\n${uri}\n${canonicalQuery(query)}\n${lines}\n${claim.signedHeaders}\n${hash}`;
}

/** The hash that goes into the canonical request. Where it is said to be the body's, it really has to be. */
function payloadHash({ headers, body }: SignedRequest, claim: Claim, service: string): string {
  const said = headers['x-amz-content-sha256'];
  if (service === 's3') {
    if (claim.expiresSeconds !== undefined && said === undefined) return 'UNSIGNED-PAYLOAD';
    if (said === 'UNSIGNED-PAYLOAD' || said === 'STREAMING-UNSIGNED-PAYLOAD-TRAILER') return said;
    if (typeof said === 'string' && said.startsWith('STREAMING-'))
      throw new SignatureError('unsupported', `x-amz-content-sha256 '${said}' is not modelled`);
  }
  const actual = sha256(body);
  if (said !== undefined && said !== actual)
    throw new SignatureError(
      service === 's3' ? 'payload-mismatch' : 'mismatch',
      service === 's3' ? "The provided 'x-amz-content-sha256' header does not match what was computed." : mismatch,
    );
  return actual;
}

function missing(): SignatureError {
  return new SignatureError('missing', 'Missing Authentication Token');
}

function sha256(data: Buffer | string): string {
  return createHash('sha256').update(data).digest('hex');
}
