// A certified OpenID provider (npm oidc-provider) on loopback. Prints its issuer as JSON once it
// listens; the line `rotate` on standard input puts a new key first and keeps the one before.

import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { Provider } from 'oidc-provider';

function newKey() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), alg: 'RS256', use: 'sig' };
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
    }],
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => 'https://fhir.example.org/r4',
        getResourceServerInfo: (_context, audience) => ({
          audience,
          scope: 'system/Patient.rs',
          accessTokenFormat: 'jwt',
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
