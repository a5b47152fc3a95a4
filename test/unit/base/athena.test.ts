import type { AthenaClient } from '@aws-sdk/client-athena';
import { lakeQueries } from '../../../lambdas/base/runtime/athena';

/** Athena that gives these states one after the other, and pages of rows. */
function clientOf(states: readonly string[], pages: readonly (string | undefined)[][][] = []) {
  const sent: string[] = [];
  const left = [...states];
  const client = {
    async send(command: { input: any }) {
      const { input } = command;
      const name = command.constructor.name.replace('Command', '');
      sent.push(name);
      if (name === 'StartQueryExecution') return { QueryExecutionId: 'q' };
      if (name === 'GetQueryExecution')
        return { QueryExecution: { Status: { State: left.shift() ?? states.at(-1), StateChangeReason: 'a reason' } } };
      const page = Number(input.NextToken ?? 0);
      return {
        ResultSet: { Rows: pages[page]?.map((row) => ({ Data: row.map((VarCharValue) => ({ VarCharValue })) })) },
        ...(page + 1 < pages.length ? { NextToken: String(page + 1) } : {}),
      };
    },
  };
  return { client: client as unknown as AthenaClient, sent };
}

const options = { workgroupName: 'w', database: 'd', remainingMs: () => 60_000 };

test('the rows of all pages are answered, without their header, and null as null', async () => {
  const { client } = clientOf(['QUEUED', 'RUNNING', 'SUCCEEDED'], [[['name'], ['a']], [[undefined]]]);

  expect(await lakeQueries(client, options).rows('select 1')).toEqual([['a'], [null]]);
});

test.each(['FAILED', 'CANCELLED'])("a query that %s is an error in Athena's words", async (state) => {
  await expect(lakeQueries(clientOf([state]).client, options).run('select 1')).rejects.toThrow('a reason');
});

test('a query for which no time is left is stopped', async () => {
  const { client, sent } = clientOf(['RUNNING']);

  const run = lakeQueries(client, { ...options, remainingMs: () => 1_000 }).run('select 1');

  await expect(run).rejects.toThrow('query q still ran when the time was over: it is stopped');
  expect(sent).toEqual(['StartQueryExecution', 'GetQueryExecution', 'StopQueryExecution']);
});
