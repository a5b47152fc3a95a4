export interface Command<Options> {
  /** As it is called: `redrive`. */
  readonly name: string;
  /** Printed where it was called wrongly. */
  readonly usage: string;
  /** Reads the arguments. Throws where they are wrong. */
  readonly parse: () => Options;
  /** Does it, and answers the exit code. */
  readonly run: (options: Options) => Promise<number>;
}

/** Runs an operator's command. The process ends with what `run` answers, with 1 when it fails, with 2 when it was called wrongly. */
export async function runCommand<Options>({ name, usage, parse, run }: Command<Options>): Promise<void> {
  let options: Options;
  try {
    options = parse();
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${usage}`);
    process.exitCode = 2;
    return;
  }
  try {
    process.exitCode = await run(options);
  } catch (error) {
    console.error(`${name} failed: ${(error as Error).name}: ${(error as Error).message}`);
    process.exitCode = 1;
  }
}
