import { AwsError } from './engine';
import type { Catcher, ChoiceState, Definition, Retrier, TaskState } from './step-functions-definition';
import { fill, type Json, PathProblem, place, read } from './step-functions-paths';

export interface Surroundings {
  /** Invokes a function under the state machine's role. */
  readonly invoke: (functionName: string, payload: Json) => Promise<{ payload: string; functionError?: string }>;
  /** Waits before a state is tried again. */
  readonly pause: (seconds: number) => Promise<void>;
  /** What `$$` refers to. */
  readonly context: Json;
}

export type Outcome =
  | { readonly status: 'SUCCEEDED'; readonly output: Json }
  | { readonly status: 'FAILED' | 'TIMED_OUT'; readonly error: string; readonly cause: string };

/** An error by the name that Retry and Catch know it by. */
class StateError extends Error {
  constructor(
    readonly error: string,
    cause: string,
  ) {
    super(cause);
  }
}

/** Runs a definition from its first state to its end. */
export async function execute(definition: Definition, input: Json, surroundings: Surroundings): Promise<Outcome> {
  try {
    return await within(definition.TimeoutSeconds, walk(definition, input, surroundings));
  } catch (error) {
    if (!(error instanceof StateError)) throw error;
    return {
      status: error.error === 'States.Timeout' && error.message === '' ? 'TIMED_OUT' : 'FAILED',
      error: error.error,
      cause: error.message,
    };
  }
}

async function walk({ StartAt, States }: Definition, input: Json, surroundings: Surroundings): Promise<Outcome> {
  let name = StartAt;
  let value = input;
  for (;;) {
    const state = States[name]!;
    if (state.Type === 'Succeed') return { status: 'SUCCEEDED', output: value };
    if (state.Type === 'Fail') {
      const of = (text: string | undefined, path: string | undefined) =>
        path === undefined ? (text ?? '') : String(read(path, value, surroundings.context));
      return {
        status: 'FAILED',
        error: of(state.Error, state.ErrorPath),
        cause: of(state.Cause, state.CausePath),
      };
    }
    if (state.Type === 'Choice') {
      name = chosen(state, value, surroundings.context);
      continue;
    }
    try {
      value = await tried(state, value, surroundings);
    } catch (error) {
      const known = stateError(error);
      const catcher = state.Catch?.find((each) => matches(each, known));
      if (catcher === undefined) throw known;
      value = place(catcher.ResultPath, value, { Error: known.error, Cause: known.message });
      name = catcher.Next;
      continue;
    }
    if (state.Next === undefined) return { status: 'SUCCEEDED', output: value };
    name = state.Next;
  }
}

function chosen({ Choices, Default }: ChoiceState, input: Json, context: Json): string {
  const is = Choices.find(({ Variable, NumericGreaterThan }) => {
    const value = valueAt(Variable, input, context);
    return typeof value === 'number' && value > NumericGreaterThan;
  });
  return is?.Next ?? Default;
}

function valueAt(path: string, input: Json, context: Json): Json {
  try {
    return read(path, input, context);
  } catch (error) {
    throw stateError(error);
  }
}

/** Each retrier counts its own attempts; the first one that knows the error decides. */
async function tried(state: TaskState, input: Json, surroundings: Surroundings): Promise<Json> {
  const attempts = new Map<Retrier, number>();
  for (;;) {
    try {
      return await within(state.TimeoutSeconds, run(state, input, surroundings));
    } catch (error) {
      const known = stateError(error);
      const retrier = state.Retry?.find((each) => matches(each, known));
      const made = retrier === undefined ? 0 : (attempts.get(retrier) ?? 0);
      if (retrier === undefined || made >= (retrier.MaxAttempts ?? 3)) throw known;
      attempts.set(retrier, made + 1);
      const seconds = (retrier.IntervalSeconds ?? 1) * (retrier.BackoffRate ?? 2) ** made;
      await surroundings.pause(Math.min(seconds, retrier.MaxDelaySeconds ?? Number.POSITIVE_INFINITY));
    }
  }
}

async function run(state: TaskState, input: Json, { invoke, context }: Surroundings): Promise<Json> {
  const { FunctionName, Payload } = fill(state.Parameters, input, context) as Record<string, Json>;
  const { payload, functionError } = await invoke(String(FunctionName), Payload);
  const answer = payload === '' ? null : JSON.parse(payload);
  if (functionError !== undefined) throw new StateError(answer?.errorType ?? 'Lambda.Unknown', payload);
  const result = { ExecutedVersion: '$LATEST', Payload: answer, StatusCode: 200 };
  const selected = state.ResultSelector === undefined ? result : fill(state.ResultSelector, result, context);
  return place(state.ResultPath, input, selected);
}

function stateError(error: unknown): StateError {
  if (error instanceof StateError) return error;
  if (error instanceof PathProblem) return new StateError('States.Runtime', error.message);
  if (error instanceof AwsError) return new StateError(`Lambda.${error.code}`, error.message);
  throw error;
}

/** `States.ALL` knows all but what the definition itself is to blame for. */
function matches({ ErrorEquals }: Retrier | Catcher, { error }: StateError): boolean {
  if (error === 'States.Runtime') return ErrorEquals.includes(error);
  return ErrorEquals.some(
    (each) => each === error || each === 'States.ALL' || (each === 'States.TaskFailed' && error !== 'States.Timeout'),
  );
}

async function within<T>(seconds: number | undefined, work: Promise<T>): Promise<T> {
  if (seconds === undefined) return work;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new StateError('States.Timeout', '')), seconds * 1_000);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    // What is left of it ends by itself; nobody waits for how.
    work.catch(() => {});
  }
}
