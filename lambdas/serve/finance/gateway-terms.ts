import type { AllGatewayTerms } from '../../base/domain/gateway-terms';

/** The terms as the function is told them. */
export function gatewayTermsOf(json: string): AllGatewayTerms {
  const terms = JSON.parse(json) as AllGatewayTerms;
  if (terms['*'] === undefined) throw new Error('gateway terms lack those of any other gateway, *');
  const mixed = Object.keys(terms).find((gateway) => gateway !== gateway.toLowerCase());
  if (mixed !== undefined) throw new Error(`gateway terms of '${mixed}': use lower case`);
  for (const { timeZone } of Object.values(terms)) new Intl.DateTimeFormat('en', { timeZone });
  return terms;
}
