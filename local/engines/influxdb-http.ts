/** A request to the time series database, whatever brought it here. */
export interface InfluxRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

export interface InfluxResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
}

// The version that Timestream runs is of this line; the suffix says that this is not it.
export const version = 'v2.7-local';

const common = { 'X-Influxdb-Build': 'OSS', 'X-Influxdb-Version': version };

export const noContent = (headers: Record<string, string> = {}): InfluxResponse => ({
  status: 204,
  headers: { ...common, ...headers },
  body: '',
});

export const json = (status: number, value: unknown, headers: Record<string, string> = {}): InfluxResponse => ({
  status,
  headers: { ...common, 'Content-Type': 'application/json; charset=utf-8', ...headers },
  body: `${toJson(value)}\n`,
});

const codes: Readonly<Record<number, string>> = {
  400: 'invalid',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not found',
  405: 'method not allowed',
  422: 'unprocessable entity',
  500: 'internal error',
};

/** An error in the shape of InfluxDB 2. */
export function fail(status: number, message: string): InfluxResponse {
  const code = codes[status] ?? 'internal error';
  return json(status, { code, message }, { 'X-Platform-Error-Code': code });
}

/** JSON in which 64-bit integers keep every digit. */
function toJson(value: unknown): string {
  if (typeof value === 'bigint') return String(value);
  if (Array.isArray(value)) return `[${value.map(toJson).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null';
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${toJson(member)}`).join(',')}}`;
}
