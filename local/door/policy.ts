import { type Condition, type ConditionValues, compileConditions } from './conditions';
import { type Matcher, refuseVariables, resourceMatcher, wildcard } from './wildcard';

/** An identity policy, with every value of the template resolved. */
export interface PolicyDocument {
  readonly Version?: string;
  readonly Statement: PolicyStatement | readonly PolicyStatement[];
}

/** One statement of an identity policy. */
export interface PolicyStatement {
  readonly Sid?: string;
  readonly Effect: string;
  readonly Action?: string | readonly string[];
  readonly NotAction?: string | readonly string[];
  readonly Resource?: string | readonly string[];
  readonly NotResource?: string | readonly string[];
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** What the policies of a role say about one action: AWS words the two refusals differently. */
export type Decision = 'allowed' | 'denied explicitly' | 'not allowed';

interface CompiledStatement {
  readonly denies: boolean;
  readonly action: Matcher;
  readonly resource: Matcher;
  readonly condition: Condition | undefined;
}

/** Decisions kept per role. Object keys make resources endless, so the memory is dropped when it is full. */
const maxRemembered = 20_000;
const elements = new Set('Sid Effect Action NotAction Resource NotResource Condition'.split(' '));

/** The identity policies of one role, compiled once. An explicit deny wins; what nothing allows is refused. */
export class IdentityPolicies {
  readonly #statements: readonly CompiledStatement[];
  /** By action, then resource: the decision, or the statements whose conditions have to be asked each time. */
  readonly #remembered = new Map<string, Map<string, Decision | readonly CompiledStatement[]>>();
  #size = 0;

  constructor(documents: readonly PolicyDocument[]) {
    this.#statements = documents.flatMap(({ Statement }) => list(Statement).map(compileStatement));
  }

  /** Whether the action is allowed on the resource; `values` is asked only when a condition decides. */
  decide(action: string, resource: string, values: ConditionValues): Decision {
    const known = this.#remembered.get(action)?.get(resource) ?? this.#consider(action, resource);
    return typeof known === 'string' ? known : outcome(known.filter(({ condition }) => condition?.(values) ?? true));
  }

  #consider(action: string, resource: string): Decision | readonly CompiledStatement[] {
    const lowerCase = action.toLowerCase();
    const matching = this.#statements.filter((one) => one.action(lowerCase) && one.resource(resource));
    const firm = outcome(matching.filter(({ condition }) => condition === undefined));
    const settled =
      firm === 'denied explicitly' ||
      matching.every(({ condition, denies }) => condition === undefined || (firm === 'allowed' && !denies));
    const answer = settled ? firm : matching;

    if (this.#size >= maxRemembered) {
      this.#remembered.clear();
      this.#size = 0;
    }
    let ofAction = this.#remembered.get(action);
    if (ofAction === undefined) {
      ofAction = new Map();
      this.#remembered.set(action, ofAction);
    }
    ofAction.set(resource, answer);
    this.#size += 1;
    return answer;
  }
}

function outcome(holding: readonly CompiledStatement[]): Decision {
  if (holding.some(({ denies }) => denies)) return 'denied explicitly';
  return holding.length > 0 ? 'allowed' : 'not allowed';
}

function compileStatement(statement: PolicyStatement): CompiledStatement {
  const { Effect, Action, NotAction, Resource, NotResource, Condition } = statement;
  const unknown = Object.keys(statement).filter((element) => !elements.has(element));
  if (unknown.length > 0) throw new Error(`policy element '${unknown}' is not modelled: use ${[...elements]}`);
  if (Effect !== 'Allow' && Effect !== 'Deny') throw new Error(`effect '${Effect}' is unknown: use Allow or Deny`);
  return {
    denies: Effect === 'Deny',
    action: either('Action', Action, NotAction, (pattern) => {
      refuseVariables(pattern);
      return wildcard(pattern.toLowerCase());
    }),
    resource: either('Resource', Resource, NotResource, resourceMatcher),
    condition: Condition === undefined ? undefined : compileConditions(Condition),
  };
}

function either(
  element: string,
  positive: string | readonly string[] | undefined,
  negative: string | readonly string[] | undefined,
  compile: (pattern: string) => Matcher,
): Matcher {
  if ((positive === undefined) === (negative === undefined))
    throw new Error(`a policy statement needs either ${element} or Not${element}`);
  const matchers = list(positive ?? negative!).map(compile);
  const any: Matcher = (text) => matchers.some((matches) => matches(text));
  return negative === undefined ? any : (text) => !any(text);
}

function list<T>(value: T | readonly T[]): readonly T[] {
  return Array.isArray(value) ? value : [value as T];
}
