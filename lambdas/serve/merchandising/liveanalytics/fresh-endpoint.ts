/**
 * Calls a service by a client of the SDK, and once more by a new client when the address that the first one found does not
 * serve any longer: a client keeps what endpoint discovery told it, for a day.
 */
export function byFreshEndpoint<Client>(open: () => Client) {
  let client = open();

  return async <Answer>(call: (client: Client) => Promise<Answer>): Promise<Answer> => {
    const used = client;
    try {
      return await call(used);
    } catch (error) {
      if ((error as Error).name !== 'InvalidEndpointException') throw error;
      // Another call may have noticed first.
      if (client === used) client = open();
      return call(client);
    }
  };
}
