import { adyen } from './adyen';
import { braintree } from './braintree';
import type { GatewayMapping } from './mapping';
import { stripe } from './stripe';

/** The gateways whose settlement files are taken. */
export const gateways: readonly GatewayMapping[] = [adyen, braintree, stripe];
