import type { HttpAnswer } from './http';

/** A gateway response, in the template's own words (`AWS::ApiGateway::GatewayResponse`). */
export interface GatewayResponseDescription {
  readonly ResponseType: string;
  readonly StatusCode?: string;
  /** Header values are static: `gatewayresponse.header.Retry-After` to `'1'`. */
  readonly ResponseParameters?: Readonly<Record<string, string>>;
  readonly ResponseTemplates?: Readonly<Record<string, string>>;
}

/** What API Gateway answers by itself, where the template says nothing else. */
const defaults = {
  ACCESS_DENIED: { statusCode: 403, errorType: 'AccessDeniedException', message: '' },
  DEFAULT_5XX: { statusCode: 502, errorType: 'InternalServerErrorException', message: 'Internal server error' },
  EXPIRED_TOKEN: { statusCode: 403, errorType: 'ExpiredTokenException', message: '' },
  INTEGRATION_FAILURE: { statusCode: 500, errorType: 'InternalServerErrorException', message: 'Internal server error' },
  INTEGRATION_TIMEOUT: {
    statusCode: 504,
    errorType: 'InternalServerErrorException',
    message: 'Endpoint request timed out',
  },
  INVALID_SIGNATURE: { statusCode: 403, errorType: 'InvalidSignatureException', message: '' },
  MISSING_AUTHENTICATION_TOKEN: {
    statusCode: 403,
    errorType: 'MissingAuthenticationTokenException',
    message: 'Missing Authentication Token',
  },
  REQUEST_TOO_LARGE: {
    statusCode: 413,
    errorType: 'RequestTooLargeException',
    message: 'Request Too Long',
  },
  RESOURCE_NOT_FOUND: { statusCode: 404, errorType: 'NotFoundException', message: 'Not found' },
  THROTTLED: { statusCode: 429, errorType: 'TooManyRequestsException', message: 'Too Many Requests' },
  UNAUTHORIZED: { statusCode: 403, errorType: 'UnrecognizedClientException', message: '' },
} as const;

/** A kind of answer that API Gateway gives without the function. */
export type GatewayResponseType = keyof typeof defaults;

const families = ['DEFAULT_4XX', 'DEFAULT_5XX'];
const headerPrefix = 'gatewayresponse.header.';
const defaultTemplate = '{"message":$context.error.messageString}';

/** The gateway responses of one API. */
export class GatewayResponses {
  readonly #custom = new Map<string, GatewayResponseDescription>();

  constructor(descriptions: readonly GatewayResponseDescription[]) {
    for (const description of descriptions) {
      check(description);
      this.#custom.set(description.ResponseType, description);
    }
  }

  /** An answer of this kind, with its own message or another. */
  answer(type: GatewayResponseType, requestId: string, message: string = defaults[type].message): HttpAnswer {
    const { statusCode, errorType } = defaults[type];
    const family = statusCode < 500 ? 'DEFAULT_4XX' : 'DEFAULT_5XX';
    const custom = this.#custom.get(type) ?? this.#custom.get(family);
    const headers: Record<string, string> = {
      'content-type': 'application/json',
      'x-amzn-requestid': requestId,
      'x-amzn-errortype': errorType,
    };
    for (const [name, value] of Object.entries(custom?.ResponseParameters ?? {}))
      headers[name.slice(headerPrefix.length).toLowerCase()] = value.slice(1, -1);
    const template = custom?.ResponseTemplates?.['application/json'] ?? defaultTemplate;
    const values: Readonly<Record<string, string>> = {
      '$context.error.messageString': JSON.stringify(message),
      '$context.error.message': message,
      '$context.error.responseType': type,
      '$context.requestId': requestId,
    };
    return {
      statusCode: Number(custom?.StatusCode ?? statusCode),
      headers,
      body: template.replace(variable, (name) => values[name]!),
    };
  }
}

const variable = /\$context\.(error\.messageString|error\.message|error\.responseType|requestId)\b/g;

function check({ ResponseType, ResponseParameters = {}, ResponseTemplates = {} }: GatewayResponseDescription): void {
  const types = [...Object.keys(defaults), ...families];
  if (!types.includes(ResponseType))
    throw new Error(`gateway response '${ResponseType}' is not modelled: use ${types.join(', ')}`);
  for (const [name, value] of Object.entries(ResponseParameters)) {
    if (!name.startsWith(headerPrefix) || !/^'[^']*'$/.test(value))
      throw new Error(
        `gateway response parameter ${name} = ${value} is not modelled: use ${headerPrefix}NAME = 'text'`,
      );
  }
  for (const [type, template] of Object.entries(ResponseTemplates)) {
    if (type !== 'application/json' || template.replace(variable, '').includes('$'))
      throw new Error(`gateway response template '${template}' for ${type} is not modelled`);
  }
}
