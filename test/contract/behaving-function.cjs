/**
 * The function with which Lambda and API Gateway are tried. It does what its event tells it, or the body of the request
 * that an API passes on. Self-contained, so that it can be deployed as it is.
 */
exports.handler = async (event, context) => {
  const isRequest = event.httpMethod !== undefined;
  const told = isRequest ? JSON.parse(event.body || '{}') : event;
  switch (told.behave) {
    case 'answer':
      return told.answer;
    case 'answer nothing':
      return undefined;
    case 'answer at length':
      return 'x'.repeat(told.bytes);
    case 'throw':
      throw Object.assign(new Error(told.message), { name: told.name });
    case 'exit':
      process.exit(1);
  }
  if (isRequest) return { statusCode: 200, headers: { 'X-Answer': 'yes' }, body: JSON.stringify(event) };
  return { event, arn: context.invokedFunctionArn, requestId: context.awsRequestId };
};
