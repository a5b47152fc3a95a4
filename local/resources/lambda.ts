import { join } from 'node:path';
import type { LocalAccount } from '../account';
import { localAccount, localRegion } from '../engines/engine';
import { asynchronousDefaults } from '../lambda/asynchronous-invocation';
import type { ResourceModel } from '../template/resource-model';

export const lambdaFunction: ResourceModel<LocalAccount> = {
  uses: [
    'FunctionName',
    'Code',
    'Handler',
    'Role',
    'Timeout',
    'MemorySize',
    'Environment',
    'ReservedConcurrentExecutions',
  ],
  withoutEffect: {
    Architectures: 'the bundle is JavaScript',
    Description: 'prose',
    KmsKeyArn: 'the environment is handed over in memory',
    LoggingConfig: 'each function has one log file',
    Runtime: 'functions run on the Node that runs all of this; one bundle is made for both',
    Tags: 'nothing reads tags',
    VpcConfig: 'everything is on 127.0.0.1',
  },
  create({ properties, generatedName, stackName }, { functions, defineFunction, assetFolder }) {
    const name = (properties.FunctionName ?? generatedName).slice(0, 64);
    if (functions.has(name)) throw new Error(`${generatedName}: there is a function ${name} already`);
    const arn = `arn:aws:lambda:${localRegion}:${localAccount}:function:${name}`;
    const [file, handlerExport] = String(properties.Handler).split('.');
    defineFunction({
      name,
      arn,
      handlerFile: join(assetFolder(stackName, properties.Code), `${file}.js`),
      handlerExport: handlerExport!,
      roleName: String(properties.Role).split('/').pop()!,
      timeoutSeconds: properties.Timeout ?? 3,
      memoryMb: properties.MemorySize ?? 128,
      environment: properties.Environment?.Variables ?? {},
      concurrency: properties.ReservedConcurrentExecutions,
    });
    return { ref: name, attributes: { Arn: arn } };
  },
};

/** Declared now, started when everything stands: a mapping starts reading at once. */
export const eventSourceMapping: ResourceModel<LocalAccount> = {
  uses: [
    'BatchSize',
    'BisectBatchOnFunctionError',
    'DestinationConfig',
    'EventSourceArn',
    'FunctionName',
    'FunctionResponseTypes',
    'MaximumBatchingWindowInSeconds',
    'MaximumRecordAgeInSeconds',
    'MaximumRetryAttempts',
    'ParallelizationFactor',
    'StartingPosition',
  ],
  withoutEffect: { MetricsConfig: 'the mapping counts its events anyway', Tags: 'nothing reads tags' },
  create({ properties, generatedName }, { mappings }) {
    mappings.push({ id: generatedName, properties });
    return { ref: generatedName, attributes: { Id: generatedName } };
  },
};

export const eventInvokeConfig: ResourceModel<LocalAccount> = {
  uses: [
    'FunctionName',
    'Qualifier',
    'MaximumRetryAttempts',
    'MaximumEventAgeInSeconds',
    'DestinationConfig.OnFailure',
  ],
  create({ properties, generatedName }, { eventTargets }) {
    const { FunctionName, Qualifier, MaximumRetryAttempts, MaximumEventAgeInSeconds, DestinationConfig } = properties;
    if (Qualifier !== '$LATEST')
      throw new Error(`${generatedName}: Qualifier '${Qualifier}' is not modelled: use $LATEST`);
    const failureQueue = DestinationConfig?.OnFailure?.Destination;
    if (failureQueue !== undefined && !/^arn:aws:sqs:/.test(failureQueue))
      throw new Error(`${generatedName}: destination '${failureQueue}' is not modelled: use the ARN of a queue`);
    eventTargets.configs.set(FunctionName, {
      maxRetries: MaximumRetryAttempts ?? asynchronousDefaults.maxRetries,
      maxAgeSeconds: MaximumEventAgeInSeconds ?? asynchronousDefaults.maxAgeSeconds,
      failureQueue,
    });
    return { ref: generatedName };
  },
};

/** Who may invoke a function beside its own account's roles. Asked for events; all else the run wires as the template does. */
export const permission: ResourceModel<LocalAccount> = {
  uses: ['FunctionName', 'Action', 'Principal', 'SourceArn'],
  withoutEffect: { SourceAccount: 'there is one account' },
  create({ properties, generatedName }, { eventTargets }) {
    const { FunctionName, Action, Principal, SourceArn } = properties;
    eventTargets.permissions.push({
      functionName: String(FunctionName).split(':').pop()!,
      action: Action,
      service: Principal,
      sourceArn: SourceArn,
    });
    return { ref: generatedName };
  },
};
