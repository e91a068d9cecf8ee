// A certified OpenID provider (npm oidc-provider) on loopback. Prints its issuer as JSON once it
// listens; the line `rotate` on standard input puts a new key first and keeps the one before. With the
// argument `opaque` its access tokens are no JWTs, and have to be introspected: by the client `fhir`, or by
// `fhir-key`, whose public key is the second argument.

import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { Provider } from 'oidc-provider';

const [format = 'jwt', clientKey] = process.argv.slice(2);

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
    jwks: { keys: [JSON.parse(clientKey)] },
  }];
}

function provider(issuer, keys) {
  return new Provider(issuer, {
    jwks: { keys },
    scopes: ['system/Patient.rs'],
    clients: [{
      client_id: 'svc',
      client_secret: 'svc-secret',
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
    }, ...introspecting()],
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      introspection: { enabled: true },
      jwtIntrospection: { enabled: true },
      revocation: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => 'https://fhir.example.org/r4',
        getResourceServerInfo: (_context, audience) => ({
          audience,
          scope: 'system/Patient.rs',
          accessTokenFormat: format,
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
    extraTokenClaims: () => ({ roles: ['globalReader'] }),
  });
}

let keys = [newKey()];
let handle;
const server = createServer((request, response) => handle(request, response));
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  handle = provider(issuer, keys).callback();
  console.log(JSON.stringify({ issuer, token_endpoint: `${issuer}/token` }));
  createInterface({ input: process.stdin })
    .on('line', () => {
      keys = [newKey(), ...keys].slice(0, 2);
      handle = provider(issuer, keys).callback();
      console.log(JSON.stringify({ rotated: keys.length }));
    })
    // The test has ended.
    .on('close', () => process.exit(0));
});
