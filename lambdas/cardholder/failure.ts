/**
 * What may be logged of an error in this room: its name and where it was thrown. Messages are left out, since a parser
 * quotes what it could not parse; only those that AWS writes about permissions are kept, which name role, action and
 * resource and hold no input.
 */
export function describeFailure(error: unknown): Record<string, string | number | undefined> {
  if (!(error instanceof Error)) return { error: typeof error };
  const { httpStatusCode, requestId } = (error as { $metadata?: { httpStatusCode?: number; requestId?: string } })
    .$metadata ?? { httpStatusCode: undefined };
  const permission = /^(AccessDenied|ResourceNotFound|UnrecognizedClient)/.test(error.name);
  return {
    error: error.name,
    status: httpStatusCode,
    awsRequestId: requestId,
    detail: permission ? error.message.slice(0, 500) : undefined,
    at: error.stack
      ?.split('\n')
      .filter((line) => /^\s+at .*:\d+:\d+\)?$/.test(line))
      .slice(0, 3)
      .map((line) => line.trim())
      .join('; '),
  };
}
