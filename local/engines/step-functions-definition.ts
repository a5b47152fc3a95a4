import { AwsError } from './engine';

/** A state machine in Amazon States Language, as far as it is modelled: anything else is refused by its name. */
export interface Definition {
  readonly StartAt: string;
  readonly TimeoutSeconds?: number;
  readonly States: Readonly<Record<string, State>>;
}

export type State = TaskState | ChoiceState | SucceedState | FailState;

export interface TaskState {
  readonly Type: 'Task';
  readonly Parameters: Readonly<Record<string, unknown>>;
  readonly ResultSelector?: Readonly<Record<string, unknown>>;
  readonly ResultPath?: string | null;
  readonly TimeoutSeconds?: number;
  readonly Retry?: readonly Retrier[];
  readonly Catch?: readonly Catcher[];
  readonly Next?: string;
  readonly End?: true;
}

/** Goes to the first choice whose number is greater; the default is asked for, since without one an execution can fail. */
export interface ChoiceState {
  readonly Type: 'Choice';
  readonly Choices: readonly {
    readonly Variable: string;
    readonly NumericGreaterThan: number;
    readonly Next: string;
  }[];
  readonly Default: string;
}

export interface SucceedState {
  readonly Type: 'Succeed';
}

export interface FailState {
  readonly Type: 'Fail';
  readonly Error?: string;
  readonly Cause?: string;
  readonly ErrorPath?: string;
  readonly CausePath?: string;
}

export interface Retrier {
  readonly ErrorEquals: readonly string[];
  readonly IntervalSeconds?: number;
  readonly MaxAttempts?: number;
  readonly BackoffRate?: number;
  readonly MaxDelaySeconds?: number;
}

export interface Catcher {
  readonly ErrorEquals: readonly string[];
  readonly Next: string;
  readonly ResultPath?: string | null;
}

const always = ['Type', 'Comment'];
const fields: Readonly<Record<string, readonly string[]>> = {
  definition: ['Comment', 'StartAt', 'States', 'TimeoutSeconds'],
  Task: [
    ...always,
    ...['Resource', 'Parameters', 'ResultSelector', 'ResultPath', 'TimeoutSeconds', 'Retry', 'Catch', 'Next', 'End'],
  ],
  Choice: [...always, 'Choices', 'Default'],
  choice: ['Variable', 'NumericGreaterThan', 'Next', 'Comment'],
  Succeed: always,
  Fail: [...always, 'Error', 'Cause', 'ErrorPath', 'CausePath'],
  Retry: ['ErrorEquals', 'IntervalSeconds', 'MaxAttempts', 'BackoffRate', 'MaxDelaySeconds', 'Comment'],
  Catch: ['ErrorEquals', 'Next', 'ResultPath', 'Comment'],
};

/** The optimized integration; the older form names the function itself and is another thing. */
const invoke = /^arn:aws[\w-]*:states:::lambda:invoke$/;

/** Reads a definition; throws what Step Functions answers for one that is wrong, and names what is not modelled here. */
export function readDefinition(text: string): Definition {
  let definition: any;
  try {
    definition = JSON.parse(text);
  } catch {
    throw invalid('the definition is not JSON');
  }
  only('the definition', definition, 'definition');
  const states: Record<string, any> = definition.States ?? {};
  if (!Object.hasOwn(states, definition.StartAt)) throw invalid(`StartAt names no state: ${definition.StartAt}`);
  for (const [name, state] of Object.entries(states)) checkState(name, state, Object.keys(states));
  return definition;
}

function checkState(name: string, state: any, names: readonly string[]): void {
  if (!['Task', 'Choice', 'Succeed', 'Fail'].includes(state?.Type))
    throw invalid(`state ${name}: type ${state?.Type} is not modelled locally`);
  only(`state ${name}`, state, state.Type);
  if (state.Type === 'Choice') checkChoice(name, state, names);
  if (state.Type !== 'Task') return;
  if (!invoke.test(state.Resource)) throw invalid(`state ${name}: resource ${state.Resource} is not modelled locally`);
  const parameter = Object.keys(state.Parameters ?? {}).find((each) => !/^(FunctionName|Payload)(\.\$)?$/.test(each));
  if (parameter !== undefined) throw invalid(`state ${name}: parameter ${parameter} is not modelled locally`);
  if ((state.Next === undefined) === (state.End === undefined)) throw invalid(`state ${name} needs either Next or End`);
  for (const retrier of state.Retry ?? []) only(`state ${name}: Retry`, retrier, 'Retry');
  for (const catcher of state.Catch ?? []) only(`state ${name}: Catch`, catcher, 'Catch');
  leads(name, [state.Next, ...(state.Catch ?? []).map((catcher: any) => catcher.Next)], names);
}

function checkChoice(name: string, { Choices, Default }: any, names: readonly string[]): void {
  if (!Array.isArray(Choices) || Choices.length === 0) throw invalid(`state ${name} needs Choices`);
  for (const choice of Choices) {
    only(`state ${name}: Choices`, choice, 'choice');
    if (typeof choice.Variable !== 'string' || typeof choice.NumericGreaterThan !== 'number')
      throw invalid(`state ${name}: a choice without Variable and NumericGreaterThan is not modelled locally`);
  }
  if (Default === undefined) throw invalid(`state ${name}: a choice without Default is not modelled locally`);
  leads(name, [Default, ...Choices.map(({ Next }: any) => Next ?? null)], names);
}

function leads(name: string, to: readonly (string | undefined)[], names: readonly string[]): void {
  for (const next of to)
    if (next !== undefined && !names.includes(next)) throw invalid(`state ${name} leads to no state: ${next}`);
}

function only(what: string, given: object, kind: string): void {
  const stranger = Object.keys(given).find((field) => !fields[kind]!.includes(field));
  if (stranger !== undefined) throw invalid(`${what}: ${stranger} is not modelled locally`);
}

const invalid = (message: string): AwsError =>
  new AwsError('InvalidDefinition', `Invalid State Machine Definition: ${message}`);
