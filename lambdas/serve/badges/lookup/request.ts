import type { BadgeRequest } from '../../../base/domain/badge';
import { type InvalidRequest, type Query, readAsked, wrongIn } from '../../lookup-request';

/** Reads `?sku=A&sku=B&fc=FC1&fc=FC2`. */
export function readQuery(query: Query): BadgeRequest | InvalidRequest {
  const asked = readAsked('fc', query);
  return 'code' in asked ? asked : { skus: asked.skus, fcs: asked.places };
}

/** Finds what is wrong with a request; returns it as it is when nothing is. */
export function checkRequest(request: BadgeRequest): BadgeRequest | InvalidRequest {
  return wrongIn('fc', { skus: request.skus, places: request.fcs }) ?? request;
}
