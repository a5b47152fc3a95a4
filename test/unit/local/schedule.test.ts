import type { LocalSchedule } from '../../../local/account';
import { inputAt, schedule } from '../../../local/resources/schedule';

const declared = (ScheduleExpression: string, Arn: string, Input?: string): LocalSchedule => {
  const schedules: LocalSchedule[] = [];
  const properties = { ScheduleExpression, Target: { Arn, RoleArn: 'arn:aws:iam::000000000000:role/starter', Input } };
  schedule.create({ properties, generatedName: 'made' } as any, { schedules } as any);
  return schedules[0]!;
};
const machine = 'arn:aws:states:eu-west-1:000000000000:stateMachine:daily';
const fn = 'arn:aws:lambda:eu-west-1:000000000000:function:load';

test('a schedule is of a function or of a state machine, and goes by its interval or once a day', () => {
  expect(declared('rate(1 hour)', fn)).toMatchObject({
    target: { functionName: 'load' },
    everyMinutes: 60,
    input: '{}',
  });
  expect(declared('cron(0 5 * * ? *)', machine)).toMatchObject({
    target: { stateMachineArn: machine },
    roleName: 'starter',
    everyMinutes: 1_440,
  });
});

test.each(['cron(0/5 * * * ? *)', 'cron(0 5 ? * MON *)', 'at(2026-11-28T05:00:00)'])('%s is refused', (expression) => {
  expect(() => declared(expression, fn)).toThrow(/is not modelled locally/);
});

test('another target is refused', () => {
  expect(() => declared('rate(1 hour)', 'arn:aws:sqs:eu-west-1:000000000000:queue')).toThrow(
    /only functions and state machines/,
  );
});

test('an input is told when its schedule fired, and of nothing else', () => {
  const at = new Date('2026-11-28T05:00:00.123Z');

  const told = declared('cron(0 5 * * ? *)', machine, '{"scheduledTime":"<aws.scheduler.scheduled-time>"}');
  expect(JSON.parse(inputAt(told, at))).toEqual({ scheduledTime: '2026-11-28T05:00:00Z' });
  const other = declared('cron(0 5 * * ? *)', machine, '"<aws.scheduler.execution-id>"');
  expect(() => inputAt(other, at)).toThrow(
    "<aws.scheduler.execution-id> in a schedule's input is not modelled locally",
  );
});
