import { type InvalidRequest, type Query, readAsked, wrongIn } from '../../lookup-request';

/** What a caller wants to know: each SKU at each location. */
export interface StockRequest {
  readonly skus: readonly string[];
  readonly locations: readonly string[];
}

/** Reads `?sku=A&sku=B&location=L1&location=L2`. */
export function readQuery(query: Query): StockRequest | InvalidRequest {
  const asked = readAsked('location', query);
  return 'code' in asked ? asked : { skus: asked.skus, locations: asked.places };
}

/** Finds what is wrong with a request; returns it as it is when nothing is. */
export function checkRequest(request: StockRequest): StockRequest | InvalidRequest {
  return wrongIn('location', { skus: request.skus, places: request.locations }) ?? request;
}
