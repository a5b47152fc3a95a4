import type { Faults, Kill } from './faults';
import { type HttpAnswer, type HttpRequest, jsonAnswer } from './http';
import type { Meter } from './meter';

/** The first part of every path of the control API. */
export const controlPath = '/_control/';

/** What the control API controls. */
export interface Controlled {
  readonly faults: Faults;
  readonly meter: Meter;
  readonly kill: Kill;
  /** The names of all functions. */
  readonly functions: ReadonlySet<string>;
}

/**
 * The control API of the local run, for tests and people: arm faults, kill functions, read what was counted. It asks for
 * no signature, so it must not be reachable through a browser: no page has an origin here, and no name leads here.
 */
export async function control(request: HttpRequest, controlled: Controlled): Promise<HttpAnswer> {
  const { origin, host = '' } = request.headers;
  if (origin !== undefined) return refused(403, `requests from the page '${origin}' are not allowed`);
  if (!/^(127\.0\.0\.1|localhost)(:\d+)?$/.test(host))
    return refused(403, `host '${host}' is not allowed: use 127.0.0.1 or localhost`);

  const route = `${request.method} ${request.path.slice(controlPath.length)}`;
  switch (route) {
    case 'POST faults':
      return attempt(() => {
        const fault = bodyOf(request);
        return controlled.faults.arm({ ...fault, function: functionNamed(fault.function, controlled) });
      });
    case 'GET faults':
      return jsonAnswer(200, { faults: controlled.faults.list() });
    case 'DELETE faults':
      controlled.faults.clear();
      return jsonAnswer(200, { faults: [] });
    case 'GET functions':
      return jsonAnswer(200, { functions: [...controlled.functions] });
    case 'GET calls':
      return jsonAnswer(200, controlled.meter.snapshot());
    case 'DELETE calls':
      controlled.meter.reset();
      return jsonAnswer(200, controlled.meter.snapshot());
    case 'POST kill':
      return attempt(async () => {
        const name = functionNamed(bodyOf(request).function, controlled);
        await controlled.kill(name);
        return { killed: name };
      });
    default:
      return refused(
        404,
        `'${route}' is unknown: use POST, GET, DELETE faults; GET, DELETE calls; GET functions; POST kill`,
      );
  }
}

async function attempt(work: () => unknown): Promise<HttpAnswer> {
  try {
    return jsonAnswer(200, await work());
  } catch (error) {
    return refused(400, (error as Error).message);
  }
}

function bodyOf({ body }: HttpRequest): Record<string, unknown> {
  const value: unknown = parsed(body);
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error('the body must be a JSON object');
  return value as Record<string, unknown>;
}

/** Undefined when it is no JSON. */
function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}

/** A function by its name, which CloudFormation makes long, or by a part that only one has: `Refine-Dedup`. */
function functionNamed(given: unknown, { functions }: Controlled): string {
  const names = [...functions];
  const matching = names.filter((name) => typeof given === 'string' && given !== '' && name.includes(given));
  const found = names.find((name) => name === given) ?? (matching.length === 1 ? matching[0] : undefined);
  if (found !== undefined) return found;
  const what = matching.length > 1 ? 'is a part of several names' : 'is unknown';
  throw new Error(
    `function '${String(given)}' ${what}: use one of ${(matching.length > 1 ? matching : names).join(', ')}, or a part that only one has`,
  );
}

function refused(statusCode: number, error: string): HttpAnswer {
  return jsonAnswer(statusCode, { error });
}
