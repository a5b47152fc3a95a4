import { claimDays } from '../../lib/stages';
import { resourceNamedBy } from './references';
import { isCdksOwn, nameOf, ofType, type SynthesizedStage, stages, synthesizedStage } from './synthesized';

const deployed = ['dev', 'prod'] as const;

describe('functions', () => {
  test.each(stages)(
    'in %s each runs on Node 24 and arm64, in a limited time and memory, and logs for a limited time',
    (name) => {
      const synthesized = synthesizedStage(name);
      const ours = ofType(synthesized, 'AWS::Lambda::Function').filter((resource) => !isCdksOwn(resource));

      expect(ours).toHaveLength(synthesized.functions.length);
      for (const resource of ours) {
        const { Properties } = resource;
        expect([nameOf(resource), Properties]).toEqual([
          nameOf(resource),
          expect.objectContaining({
            Runtime: 'nodejs24.x',
            Architectures: ['arm64'],
            Timeout: expect.any(Number),
            MemorySize: expect.any(Number),
          }),
        ]);
        const logs = resourceNamedBy(Properties.LoggingConfig?.LogGroup, resource, synthesized);
        expect([nameOf(resource), logs?.Type, logs?.Properties?.RetentionInDays]).toEqual([
          nameOf(resource),
          'AWS::Logs::LogGroup',
          synthesized.stage.logRetentionDays,
        ]);
      }
    },
  );

  test.each(stages)(
    'in %s each reader takes its stream from the start, in order, and holds what it gives up',
    (name) => {
      const synthesized = synthesizedStage(name);
      const windows = ofType(synthesized, 'AWS::Lambda::EventSourceMapping').map((mapping) => {
        expect(mapping.Properties).toMatchObject({
          StartingPosition: 'TRIM_HORIZON',
          ParallelizationFactor: 1,
          BisectBatchOnFunctionError: true,
          FunctionResponseTypes: ['ReportBatchItemFailures'],
          MaximumRetryAttempts: -1,
        });
        const { MaximumRecordAgeInSeconds, DestinationConfig, BatchSize, MaximumBatchingWindowInSeconds } =
          mapping.Properties;
        // Given up while the stream still has it, or it is lost.
        expect(MaximumRecordAgeInSeconds).toBeLessThan(synthesized.stage.streams.retentionHours * 3_600);
        const held = resourceNamedBy(DestinationConfig?.OnFailure.Destination, mapping, synthesized);
        // What the outbox's stream gives up lies in the outbox, where the net beneath finds it.
        const isOutbox = resourceNamedBy(mapping.Properties.EventSourceArn, mapping, synthesized)!.logicalId.startsWith(
          'Outbox',
        );
        expect([held?.Type, held?.stack, held?.logicalId.startsWith('Held')]).toEqual(
          isOutbox ? [undefined, undefined, undefined] : ['AWS::S3::Bucket', mapping.stack, true],
        );
        return [mapping.stack, BatchSize, MaximumBatchingWindowInSeconds];
      });

      expect(windows.sort()).toEqual([
        ['Badges', 500, 0],
        // Triggers.
        ['Inventory', 100, 0],
        ['Inventory', 500, 1],
        ['Inventory', 500, 1],
        ['Lake', 500, 10],
        ['Merchandising', 500, 5],
        ['Refine', 500, 1],
      ]);
    },
  );

  test.each([
    ['local', 'shared'],
    ['dev', 'shared'],
    ['prod', 'own'],
  ] as const)('in %s the readers of sales have a pipe that is %s, and all others share theirs', (name, pipe) => {
    const synthesized = synthesizedStage(name);
    const readers = ofType(synthesized, 'AWS::Lambda::EventSourceMapping').map((mapping) => {
      const source = resourceNamedBy(mapping.Properties.EventSourceArn, mapping, synthesized)!;
      const fannedOut = source.Type === 'AWS::Kinesis::StreamConsumer';
      const stream = fannedOut ? resourceNamedBy(source.Properties?.StreamARN, source, synthesized)! : source;
      return [mapping.stack, nameOf(stream).replace(/[0-9A-F]{8}$/, ''), fannedOut ? 'own' : 'shared'];
    });

    expect(readers.sort()).toEqual([
      // Two readers of few and small changes.
      ['Badges', 'Cdc/Changes', 'shared'],
      ['Inventory', 'Cdc/Changes', 'shared'],
      // The stream of a table.
      ['Inventory', 'Inventory/Outbox', 'shared'],
      ['Inventory', 'Refine/Sales', pipe],
      ['Lake', 'Refine/Sales', pipe],
      ['Merchandising', 'Refine/Sales', pipe],
      // The only reader of its stream.
      ['Refine', 'Cardholder/SalesIngest', 'shared'],
    ]);
  });
});

describe('the APIs', () => {
  test.each(stages)('in %s want a signature for all there is, and take a limited number of requests', (name) => {
    const synthesized = synthesizedStage(name);
    const methods = ofType(synthesized, 'AWS::ApiGateway::Method');

    const wanted = methods.map(({ stack, Properties }) => [stack, Properties.HttpMethod, Properties.AuthorizationType]);
    expect([...new Set(wanted.map((method) => method.join(' ')))].sort()).toEqual([
      'Badges GET AWS_IAM',
      'Cardholder POST AWS_IAM',
      'Inventory GET AWS_IAM',
      'Merchandising GET AWS_IAM',
    ]);
    const { badges, ingest, merchandising, stock } = synthesized.stage;
    const limits = { Badges: badges, Cardholder: ingest, Inventory: stock, Merchandising: merchandising };
    const settings = ofType(synthesized, 'AWS::ApiGateway::Stage').map(({ stack, Properties }) => [
      stack,
      Properties.MethodSettings,
    ]);
    expect(Object.fromEntries(settings)).toEqual(
      Object.fromEntries(
        Object.entries(limits).map(([stack, { requestsPerSecond, burst }]) => [
          stack,
          [
            {
              HttpMethod: '*',
              ResourcePath: '/*',
              ThrottlingRateLimit: requestsPerSecond,
              ThrottlingBurstLimit: burst,
              MetricsEnabled: true,
              DataTraceEnabled: false,
              LoggingLevel: 'OFF',
            },
          ],
        ]),
      ),
    );
  });

  test.each(['Badges', 'Cardholder', 'Inventory', 'Merchandising'])(
    'of %s logs no body, header, query or path',
    (room) => {
      const [{ Properties }] = ofType(synthesizedStage('prod'), 'AWS::ApiGateway::Stage').filter(
        ({ stack }) => stack === room,
      ) as [any];
      const logged = Object.values(JSON.parse(Properties.AccessLogSetting.Format)).sort();

      expect(logged).toEqual([
        '$context.error.responseType',
        '$context.httpMethod',
        '$context.identity.sourceIp',
        '$context.identity.userArn',
        '$context.integrationStatus',
        '$context.requestId',
        '$context.requestTime',
        '$context.resourcePath',
        '$context.responseLatency',
        '$context.status',
      ]);
    },
  );
});

describe('time', () => {
  const variable = (synthesized: SynthesizedStage, stack: string, name: string) =>
    ofType(synthesized, 'AWS::Lambda::Function')
      .filter((fn) => fn.stack === stack)
      .map(({ Properties }) => Properties.Environment?.Variables[name])
      .filter((value) => value !== undefined);

  test.each(deployed)('in %s a claim outlives every sale that it may meet', (name) => {
    const synthesized = synthesizedStage(name);
    const { ingest, streams, redriveDays } = synthesized.stage;
    const retentionDays = streams.retentionHours / 24;

    expect(ingest.maximumSaleAgeDays).not.toBeNull();
    expect(variable(synthesized, 'Cardholder', 'MAXIMUM_SALE_AGE_DAYS')).toEqual([String(ingest.maximumSaleAgeDays)]);
    expect(variable(synthesized, 'Refine', 'CLAIM_DAYS')).toEqual([String(claimDays(synthesized.stage))]);
    // As old as a sale may be, a day for a clock ahead, the stream, the redrive.
    expect(claimDays(synthesized.stage)).toBeGreaterThan(ingest.maximumSaleAgeDays! + 1 + retentionDays + redriveDays);
    // A reader sees what dedup hands over again, after the stream and redrive of both.
    expect(Number(variable(synthesized, 'Inventory', 'CLAIM_DAYS')[0])).toBeGreaterThan(
      2 * (retentionDays + redriveDays),
    );
  });

  test.each(deployed)('in %s what is held outlives the time in which it can be redriven', (name) => {
    const synthesized = synthesizedStage(name);
    const held = ofType(synthesized, 'AWS::S3::Bucket').filter(({ logicalId }) => logicalId.startsWith('Held'));

    expect(held).toHaveLength(5);
    for (const { Properties } of held)
      expect(Properties.LifecycleConfiguration.Rules[0].ExpirationInDays).toBeGreaterThan(
        synthesized.stage.redriveDays,
      );
  });
});

describe('alarms', () => {
  test.each(stages)('in %s each calls someone, and says what is lost and where to read on', (name) => {
    const synthesized = synthesizedStage(name);
    const alarms = ofType(synthesized, 'AWS::CloudWatch::Alarm');

    expect(alarms.length).toBeGreaterThan(30);
    for (const alarm of alarms) {
      const { AlarmName, AlarmDescription, AlarmActions, ActionsEnabled = true } = alarm.Properties;
      const heading = AlarmName.replace(`Tillstream-${name}-`, '');
      expect(AlarmDescription).toMatch(new RegExp(`^Impact: .{20,}\\. See docs/runbook\\.md, ${heading}\\.$`, 's'));
      expect([AlarmName, ActionsEnabled, resourceNamedBy(AlarmActions, alarm, synthesized)?.Type]).toEqual([
        AlarmName,
        true,
        'AWS::SNS::Topic',
      ]);
    }
  });

  test('those ring when nothing is counted whose count never pauses while all is well', () => {
    const synthesized = synthesizedStage('prod');
    const alarms = ofType(synthesized, 'AWS::CloudWatch::Alarm').map(({ Properties }) => Properties);
    const waiting = alarms.filter(({ TreatMissingData }) => TreatMissingData !== 'notBreaching');

    expect(waiting.map(({ AlarmName, TreatMissingData }) => [AlarmName, TreatMissingData]).sort()).toEqual(
      [
        // Beats come every half a minute, and are counted where they are written and where they arrive.
        'FeatureAge',
        'HeartbeatFailed',
        // DMS reports these for as long as it runs.
        'InventorySourceLatency',
        'InventoryTargetLatency',
        // Its schedule may have forgotten it.
        'LedgerLag',
        // Its schedule may have forgotten it.
        'MerchandisingComparisonLeft',
        'OrdersSourceLatency',
        'OrdersTargetLatency',
        // The workflow of the day may not have been started.
        'ReconciliationLag',
        // Watched every minute.
        'ReplicationDown',
        // Its schedule may have forgotten it.
        'SnapshotMissing',
        'StockAge',
        'TriggersLate',
      ].map((heading) => [`Tillstream-prod-${heading}`, 'breaching']),
    );
    expect(waiting.find(({ AlarmName }) => AlarmName === 'Tillstream-prod-LedgerLag')).toMatchObject({
      // A shorter period would be without a value between two runs.
      Period: synthesized.stage.finance.loadEveryMinutes * 60,
      EvaluationPeriods: 1,
    });
  });
});
