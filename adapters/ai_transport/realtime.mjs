// A connection of one host to the run's Ably service, with the vendor's SDK.
//
// Owns how it authenticates: a token of the identity provider is exchanged for an Ably JWT, as an application's
// auth endpoint does, each time the SDK asks.
import * as Ably from "ably";

const ERRORS_ONLY = 1;

export function connect(host) {
  const { ably } = host.services;
  return new Ably.Realtime({
    authCallback: (_params, done) => {
      freshAblyToken(host).then(
        (token) => done(null, token.text),
        (error) => done(error.message, null),
      );
    },
    ...(ably.host ? { endpoint: ably.host, port: ably.port, tls: ably.tls } : {}),
    useBinaryProtocol: false,
    disableConnectivityCheck: true,
    logLevel: ERRORS_ONLY,
  });
}

async function freshAblyToken(host) {
  return host.ablyToken(await host.freshToken());
}

export const channelOf = (tenant, session) => `approvals:${tenant}:${session}`;
