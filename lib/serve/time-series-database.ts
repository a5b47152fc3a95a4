import type { IDependable } from 'constructs';
import type { NodeFunction, NodeFunctionProps } from '../base/node-function';
import type { Signal } from '../base/signal';

/** What merchandising's functions need of the database that holds its time series, whichever it is. */
export interface TimeSeriesDatabase {
  /** Under lambdas/serve/merchandising: the functions that speak to it. */
  readonly directory: string;
  /** Where they must be to reach it; absent: anywhere. */
  readonly network?: NonNullable<NodeFunctionProps['network']>;
  /** Lets a function write points, or ask for them, and tells it where. */
  letWrite(fn: NodeFunction): void;
  letRead(fn: NodeFunction): void;
  /** There before the first sale is read. */
  readonly ready: IDependable;
  readonly signals: readonly Signal[];
}
