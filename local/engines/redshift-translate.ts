import { refuseForeignSql } from './redshift-refused';
import { translateCasts, translateTable } from './redshift-tables';
import { afterBracket, isAt, print, RefusedSql, raw, type Token, tokenize } from './redshift-tokens';

/**
 * The two forms that are modelled: `COPY table (columns) FROM 's3://manifest' IAM_ROLE ... FORMAT PARQUET MANIFEST`, with
 * or without FILLRECORD, and the same with `FORMAT CSV GZIP EMPTYASNULL`.
 */
export interface CopyCommand {
  /** As SQL, schema included where it was given. */
  readonly table: string;
  readonly columns: readonly string[];
  readonly manifest: string;
  readonly format: 'parquet' | 'csv';
  /** Columns that a file lacks at its end are null. */
  readonly fillRecord: boolean;
  /** Undefined: the namespace's default role. */
  readonly roleArn: string | undefined;
}

/** What the warehouse does for a statement. */
export type Translated =
  | { readonly kind: 'sql'; readonly command: string; readonly text: string; readonly values: readonly string[] }
  | { readonly kind: 'copy'; readonly copy: CopyCommand }
  | { readonly kind: 'nothing' };

/** Names of the parameters that the statement refers to. */
export function parameterNames(sql: string): string[] {
  return tokenize(sql).flatMap(({ kind, value }) => (kind === 'parameter' ? [value] : []));
}

/** Translates one statement of Redshift for PostgreSQL; throws `RefusedSql` for what Redshift would not take. */
export function translate(sql: string, parameters: ReadonlyMap<string, string>, isInBatch: boolean): Translated {
  const tokens = tokenize(sql);
  while (isAt(tokens, tokens.length - 1, ';')) tokens.pop();
  if (tokens.length === 0) return { kind: 'nothing' };
  if (tokens.some(({ kind, value }) => kind === 'symbol' && value === ';')) {
    throw new RefusedSql('cannot insert multiple commands into a prepared statement');
  }
  refuseForeignSql(tokens);
  if (isAt(tokens, 0, 'copy')) return { kind: 'copy', copy: readCopy(tokens) };
  const rewritten = translateCommand(tokens, isInBatch);
  if (rewritten === undefined) return { kind: 'nothing' };

  const values: string[] = [];
  const bound = translateCasts(rewritten).map((token, at, all): Token => {
    if (token.kind === 'parameter') {
      const value = parameters.get(token.value);
      if (value === undefined) throw new RefusedSql(`parameter :${token.value} is not given`);
      // Each use is a parameter of its own, so that each can take the type of its place.
      return { ...token, text: `$${values.push(value)}` };
    }
    if (token.kind === 'word' && token.value === 'sysdate') return { ...token, text: 'pg_catalog.sysdate()' };
    const isDatePart =
      isAt(all, at - 1, '(') && ['dateadd', 'datediff', 'date_part'].includes(all[at - 2]?.value ?? '');
    return token.kind === 'word' && isDatePart ? { ...token, text: `'${token.value}'` } : token;
  });
  return { kind: 'sql', command: tokens[0]!.value, text: print(bound), values };
}

function translateCommand(tokens: readonly Token[], isInBatch: boolean): readonly Token[] | undefined {
  const command = `${tokens[0]!.value} ${tokens[1]?.value ?? ''}`;
  if (
    /^create (temp |temporary |local )?(temp |temporary )?table/.test(
      tokens
        .slice(0, 4)
        .map(({ value }) => value)
        .join(' '),
    )
  ) {
    return translateTable(tokens);
  }
  if (command === 'alter table') return translateTable(tokens);
  if (command === 'create user') return createRole(tokens);
  if (command === 'create view')
    return tokens.filter(
      (_, at) => ![0, 1, 2, 3].some((back) => isAt(tokens, at - back, 'with', 'no', 'schema', 'binding')),
    );
  if (isAt(tokens, 0, 'merge')) return checkMerge(tokens);
  if (isAt(tokens, 0, 'truncate') && isInBatch) {
    throw new RefusedSql(
      'TRUNCATE commits the transaction in Redshift: in a batch use DELETE, which can be rolled back',
    );
  }
  if (isAt(tokens, 0, 'vacuum') || isAt(tokens, 0, 'analyze', 'compression')) {
    if (isInBatch) throw new RefusedSql('VACUUM cannot run inside a transaction block');
    return undefined;
  }
  return tokens;
}

/** Users have no password here: nobody logs in as one, the Data API acts as them. */
function createRole(tokens: readonly Token[]): Token[] {
  const name = tokens[2];
  if (name === undefined || !['word', 'quoted'].includes(name.kind))
    throw new RefusedSql('syntax error in CREATE USER: a name is missing');
  const isSuperuser = tokens.some((_, at) => at > 2 && isAt(tokens, at, 'createuser'));
  return [raw('create role'), { ...name, gap: true }, raw(isSuperuser ? 'login superuser' : 'login')];
}

/** Redshift's MERGE is narrower than PostgreSQL's: both clauses, once, unconditional; a table as source; no target alias. */
function checkMerge(tokens: readonly Token[]): readonly Token[] {
  const refuse = (why: string): never => {
    throw new RefusedSql(`MERGE ${why}`);
  };
  if (!isAt(tokens, 1, 'into')) refuse('needs INTO in Redshift');
  const using = tokens.findIndex((_, at) => isAt(tokens, at, 'using'));
  const targetLength = isAt(tokens, 3, '.') ? 3 : 1;
  if (using !== 2 + targetLength) refuse('takes no alias for its target in Redshift');
  if (isAt(tokens, using + 1, '(')) refuse('needs a table as its source in Redshift, not a query');

  const clauses = tokens.flatMap((_, at) => (isAt(tokens, at, 'when') && !isCase(tokens, at) ? [at] : []));
  const matched = clauses.filter((at) => isAt(tokens, at, 'when', 'matched', 'then'));
  const notMatched = clauses.filter((at) => isAt(tokens, at, 'when', 'not', 'matched', 'then', 'insert'));
  if (clauses.length !== 2 || matched.length !== 1 || notMatched.length !== 1) {
    refuse('needs exactly one WHEN MATCHED THEN and one WHEN NOT MATCHED THEN INSERT in Redshift, without conditions');
  }
  const update = matched[0]! + 3;
  if (isAt(tokens, update, 'update', 'set')) {
    for (let at = update + 2; at < tokens.length && !clauses.includes(at); at = nextAssignment(tokens, at)) {
      if (isAt(tokens, at + 1, '.'))
        refuse(`takes no table name before column ${tokens[at + 2]?.text} in SET in Redshift`);
    }
  } else if (!isAt(tokens, update, 'delete')) refuse('takes UPDATE SET or DELETE after WHEN MATCHED THEN in Redshift');
  return tokens;
}

function nextAssignment(tokens: readonly Token[], at: number): number {
  let next = at;
  while (next < tokens.length && !isAt(tokens, next, ',') && !(isAt(tokens, next, 'when') && !isCase(tokens, next))) {
    next = isAt(tokens, next, '(') ? afterBracket(tokens, next) : next + 1;
  }
  return isAt(tokens, next, ',') ? next + 1 : next;
}

/** Whether this WHEN belongs to a CASE that is still open. */
function isCase(tokens: readonly Token[], at: number): boolean {
  let open = 0;
  for (let before = 0; before < at; before++) {
    if (isAt(tokens, before, 'case')) open++;
    else if (isAt(tokens, before, 'end')) open--;
  }
  return open > 0;
}

function readCopy(tokens: readonly Token[]): CopyCommand {
  const refuse = (why: string): never => {
    throw new RefusedSql(
      `COPY ${why}: COPY table FROM 's3://bucket/manifest' IAM_ROLE 'arn' FORMAT PARQUET MANIFEST (FILLRECORD) is modelled locally, and FORMAT CSV GZIP EMPTYASNULL MANIFEST`,
    );
  };
  let at = isAt(tokens, 2, '.') ? 4 : 2;
  const table = print(tokens.slice(1, at));
  let columns: string[] = [];
  if (isAt(tokens, at, '(')) {
    const end = afterBracket(tokens, at);
    columns = tokens
      .slice(at + 1, end - 1)
      .filter(({ kind }) => kind !== 'symbol')
      .map(({ value }) => value);
    at = end;
  }
  const source = tokens[at + 1];
  if (!isAt(tokens, at, 'from') || source?.kind !== 'string' || !source.value.startsWith('s3://'))
    refuse('without FROM s3://');
  at += 2;
  const seen = new Set<string>();
  let roleArn: string | undefined;
  let format: CopyCommand['format'] = 'parquet';
  while (at < tokens.length) {
    const option = tokens[at]!.value;
    seen.add(option);
    if (option === 'iam_role') {
      const role = tokens[at + 1];
      if (role?.kind === 'string') roleArn = role.value;
      else if (!isAt(tokens, at + 1, 'default')) refuse(`with IAM_ROLE ${role?.text}`);
      at += 2;
    } else if (option === 'format') {
      at += isAt(tokens, at + 1, 'as') ? 2 : 1;
      if (isAt(tokens, at, 'csv')) format = 'csv';
      else if (!isAt(tokens, at, 'parquet')) refuse(`with FORMAT ${tokens[at]?.text}`);
      at += 1;
    } else if (['manifest', 'gzip', 'emptyasnull', 'fillrecord'].includes(option)) at += 1;
    else refuse(`with ${tokens[at]!.text}`);
  }
  for (const option of ['iam_role', 'format', 'manifest'])
    if (!seen.has(option)) refuse(`without ${option.toUpperCase()}`);
  for (const option of ['gzip', 'emptyasnull'])
    if (seen.has(option) !== (format === 'csv'))
      refuse(`${format === 'csv' ? 'from CSV without' : 'from Parquet with'} ${option.toUpperCase()}`);
  if (seen.has('fillrecord') && format === 'csv') refuse('from CSV with FILLRECORD');
  return { table, columns, manifest: source!.value, format, fillRecord: seen.has('fillrecord'), roleArn };
}
