/** What a container's thread is started with. */
export interface ContainerData {
  readonly functionName: string;
  readonly functionArn: string;
  readonly handlerFile: string;
  readonly handlerExport: string;
  readonly memoryMb: number;
  readonly logFile: string;
  readonly hosts: Readonly<Record<string, string>>;
  /** Whether lines go to the host too, besides the log file. */
  readonly tellLines: boolean;
}

/** The host to its container: one invocation, its event as JSON text. */
export interface Call {
  readonly requestId: string;
  readonly event: string;
  readonly deadline: number;
}

/** The container to its host. */
export type Word =
  | { readonly ready: true }
  | { readonly line: string }
  /** `last`: the container is of no use any more. */
  | { readonly payload: string; readonly failed: boolean; readonly last?: boolean };

/** An error as Lambda writes it into the payload of a failed invocation. */
export function errorPayload(error: unknown): string {
  if (!(error instanceof Error))
    return JSON.stringify({ errorType: typeof error, errorMessage: String(error), trace: [] });
  const { name, message, stack = '' } = error;
  return JSON.stringify({ errorType: name, errorMessage: message, trace: stack.split('\n') });
}
