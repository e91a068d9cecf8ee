// A certified OpenID provider (npm oidc-provider) on loopback. Prints its issuer as JSON once it
// listens; the line `rotate` on standard input puts a new key first and keeps the one before.
//
// Its argument is JSON: `format` of access tokens ("jwt" or "opaque"; opaque ones have to be introspected, by
// the client `fhir`, or by `fhir-key` with the public key `clientKey`); `tls` with `cert` and `key`, for a second
// port that asks for certificates of clients; `nonce` for DPoP proofs that must carry a nonce of this provider.

import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { createInterface } from 'node:readline';
import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { Provider } from 'oidc-provider';
import { signIn, interactions } from './sign-in.mjs';

const { format = 'jwt', clientKey, tls, nonce = false } = JSON.parse(process.argv[2] ?? '{}');
const SCOPES = 'system/Patient.rs system/Patient.d user/Patient.rs user/Patient.d';
const nonceSecret = randomBytes(32);

function newKey() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), alg: 'RS256', use: 'sig' };
}

function introspecting() {
  const client = {
    grant_types: [],
    redirect_uris: [],
    response_types: [],
    introspection_signed_response_alg: 'RS256',
  };
  const secret = { ...client, client_id: 'fhir', client_secret: 'fhir-secret' };
  if (!clientKey) return [secret];
  return [secret, {
    ...client,
    client_id: 'fhir-key',
    token_endpoint_auth_method: 'private_key_jwt',
    jwks: { keys: [clientKey] },
  }];
}

function clients() {
  const service = {
    client_secret: 'svc-secret',
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
  };
  const certified = {
    ...service,
    client_id: 'svc-certified',
    tls_client_certificate_bound_access_tokens: true,
  };
  const app = {
    client_id: 'app',
    application_type: 'native',
    token_endpoint_auth_method: 'none',
    redirect_uris: ['http://127.0.0.1/callback'],
  };
  return [{ ...service, client_id: 'svc' }, certified, app, ...introspecting()];
}

function provider(issuer, keys) {
  return new Provider(issuer, {
    jwks: { keys },
    scopes: SCOPES.split(' '),
    clients: clients(),
    interactions,
    enabledJWA: { dPoPSigningAlgValues: ['ES256', 'RS256', 'PS256', 'Ed25519'] },
    acrValues: ['urn:example:password', 'urn:example:mfa'],
    findAccount: (_context, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      dPoP: { enabled: true, nonceSecret, requireNonce: () => nonce },
      introspection: { enabled: true },
      jwtIntrospection: { enabled: true },
      mTLS: {
        enabled: true,
        certificateBoundAccessTokens: true,
        getCertificate: (context) => context.req.socket.getPeerX509Certificate?.(),
      },
      revocation: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => 'https://fhir.example.org/r4',
        getResourceServerInfo: (_context, audience) => ({
          audience,
          scope: SCOPES,
          accessTokenFormat: format,
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
    // What a user has signed in by, and when (RFC 9470 section 6); a machine has no such thing.
    extraTokenClaims: (context) => {
      const { acr, authTime: auth_time } = context.oidc.entities.AuthorizationCode ?? {};
      return { roles: ['globalReader'], ...(auth_time && { acr, auth_time }) };
    },
  });
}

let keys = [newKey()];
let current;
const handle = (request, response) => {
  if (request.url.startsWith('/interaction/')) return signIn(current, request, response);
  return current.callback()(request, response);
};
const server = createServer(handle);
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  current = provider(issuer, keys);
  const listening = { issuer, token_endpoint: `${issuer}/token` };
  if (tls) {
    const asked = { ...tls, requestCert: true, rejectUnauthorized: false };
    const certified = createTlsServer(asked, handle);
    certified.listen(0, '127.0.0.1', () => {
      const mtls_token_endpoint = `https://localhost:${certified.address().port}/token`;
      console.log(JSON.stringify({ ...listening, mtls_token_endpoint }));
    });
  } else {
    console.log(JSON.stringify(listening));
  }
  createInterface({ input: process.stdin })
    .on('line', () => {
      keys = [newKey(), ...keys].slice(0, 2);
      current = provider(issuer, keys);
      console.log(JSON.stringify({ rotated: keys.length }));
    })
    // The test has ended.
    .on('close', () => process.exit(0));
});
