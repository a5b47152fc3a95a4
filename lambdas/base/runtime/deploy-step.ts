import type { CloudFormationCustomResourceEvent } from 'aws-lambda';
import { log } from './log';

/**
 * Makes a function a CloudFormation custom resource: runs `step` on create and update, `onDelete` on delete (by default
 * nothing: data stays), and reports the outcome to the address that CloudFormation gave. Both must bear a repeat:
 * CloudFormation calls again when an answer is lost. A failure's message reaches the person who deploys, so it says what
 * to do next.
 */
export function deployStep(
  step: (properties: Readonly<Record<string, string>>) => Promise<Record<string, string>>,
  onDelete: (properties: Readonly<Record<string, string>>) => Promise<void> = async () => {},
) {
  return async (event: CloudFormationCustomResourceEvent): Promise<void> => {
    const physicalResourceId =
      event.RequestType === 'Create' ? `${event.StackId}/${event.LogicalResourceId}` : event.PhysicalResourceId;
    let outcome: { Status: 'SUCCESS'; Data: Record<string, string> } | { Status: 'FAILED'; Reason: string };
    try {
      const { RequestType, ResourceProperties } = event;
      if (RequestType === 'Delete') await onDelete(ResourceProperties);
      const Data = RequestType === 'Delete' ? {} : await step(ResourceProperties);
      outcome = { Status: 'SUCCESS', Data };
    } catch (error) {
      // CloudFormation takes no answer beyond 4,096 bytes: the deployment would wait for an hour instead of failing.
      const reason = (error instanceof Error ? `${error.name}: ${error.message}` : String(error)).slice(0, 500);
      log.error('deploy step failed', { step: event.LogicalResourceId, reason });
      outcome = { Status: 'FAILED', Reason: reason };
    }
    const { StackId, RequestId, LogicalResourceId } = event;
    const answer = await fetch(event.ResponseURL, {
      method: 'PUT',
      // The signed address allows no content type.
      headers: { 'content-type': '' },
      body: JSON.stringify({
        PhysicalResourceId: physicalResourceId,
        StackId,
        RequestId,
        LogicalResourceId,
        ...outcome,
      }),
    });
    if (!answer.ok) throw new Error(`CloudFormation did not take the outcome: HTTP ${answer.status}`);
  };
}
