// A provider of another make (npm oauth2-mock-server) on loopback: `typ` is `JWT`, and its keys
// have neither `use` nor, in its discovery document, much company. Same conversation as
// oidc-provider.mjs. After a rotation it signs with its keys in turn.

import { createInterface } from 'node:readline';
import { OAuth2Server } from 'oauth2-mock-server';

const server = new OAuth2Server();
await server.issuer.keys.generate('RS256');
server.service.on('beforeTokenSigning', (token) => {
  token.payload.aud = 'https://fhir.example.org/r4';
  token.payload.sub = 'svc';
  token.payload.scope = 'system/Patient.rs';
});
await server.start(0, '127.0.0.1');
// Its own default would be `localhost`, which may be another address.
const issuer = `http://127.0.0.1:${server.address().port}`;
server.issuer.url = issuer;
console.log(JSON.stringify({ issuer, token_endpoint: `${issuer}/token` }));
createInterface({ input: process.stdin })
  .on('line', async () => {
    await server.issuer.keys.generate('RS256');
    console.log(JSON.stringify({ rotated: 2 }));
  })
  // The test has ended.
  .on('close', () => process.exit(0));
