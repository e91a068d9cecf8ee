// oidc-provider for SMART apps on loopback, with the app’s own pages beside it: `node oidc.mjs BASE`, where BASE
// is the audience. Prints `issuer` and `app` as JSON once both listen, with the private key of the client
// `backend` as a PEM file would have it.

import { createServer } from 'node:http';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Provider } from 'oidc-provider';

const [base] = process.argv.slice(2);

const PEOPLE = {
  amara: { patient: '1', fhirUser: `${base}/Patient/1` },
  tobi: { patient: '2', fhirUser: `${base}/Patient/2` },
};
const SCOPE = 'launch/patient fhirUser patient/*.rs patient/Observation.rs system/*.cruds system/Observation.rs';

function key(type, options, alg) {
  const { privateKey, publicKey } = generateKeyPairSync(type, options);
  const named = { kid: randomUUID(), alg, use: 'sig' };
  return { privateKey, jwk: (one) => ({ ...one.export({ format: 'jwk' }), ...named }), publicKey, ...named };
}

const signing = key('rsa', { modulusLength: 2048 }, 'RS256');
const backend = key('ec', { namedCurve: 'P-384' }, 'ES384');

function provider(issuer, app) {
  const made = new Provider(issuer, {
    jwks: { keys: [signing.jwk(signing.privateKey)] },
    clients: [
      {
        client_id: 'app',
        token_endpoint_auth_method: 'none',
        grant_types: ['authorization_code'],
        redirect_uris: [`${app}/`],
      },
      {
        // The gateway’s own page.
        client_id: 'page',
        token_endpoint_auth_method: 'none',
        grant_types: ['authorization_code'],
        redirect_uris: [`${new URL(base).origin}/`],
      },
      {
        client_id: 'backend',
        token_endpoint_auth_method: 'private_key_jwt',
        token_endpoint_auth_signing_alg: 'ES384',
        grant_types: ['client_credentials'],
        response_types: [],
        redirect_uris: [],
        jwks: { keys: [backend.jwk(backend.publicKey)] },
      },
    ],
    cookies: { keys: [randomUUID()] },
    enabledJWA: { clientAuthSigningAlgValues: ['ES384', 'RS384'] },
    scopes: ['openid', 'fhirUser', 'launch/patient'],
    clientBasedCORS: (_context, origin) => [app, new URL(base).origin].includes(origin),
    findAccount: (_context, id) => PEOPLE[id] && { accountId: id, claims: () => ({ sub: id, fhirUser: PEOPLE[id].fhirUser }) },
    claims: { openid: ['sub'], fhirUser: ['fhirUser'] },
    conformIdTokenClaims: false,
    extraTokenClaims: (_context, token) => PEOPLE[token.accountId],
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => base,
        useGrantedResource: () => true,
        getResourceServerInfo: (_context, audience) => ({
          audience, scope: SCOPE, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
  });
  // The launch context stands in the token response (SMART App Launch 2.2), which OpenID Connect has not.
  made.use(async (context, next) => {
    await next();
    if (context.oidc?.route === 'token' && context.body?.access_token) {
      Object.assign(context.body, { patient: PEOPLE[context.oidc.entities.AccessToken?.accountId]?.patient });
    }
  });
  return made;
}

const library = createRequire(import.meta.url).resolve('fhirclient/build/fhir-client.js');
const file = (name) => readFileSync(new URL(name, import.meta.url));
const FILES = {
  '/launch.html': ['text/html', file('app/launch.html')],
  '/': ['text/html', file('app/index.html')],
  '/launch.js': ['text/javascript', file('app/launch.js')],
  '/app.js': ['text/javascript', file('app/app.js')],
  '/fhir-client.js': ['text/javascript', readFileSync(library)],
};

function pages(request, response) {
  const found = FILES[new URL(request.url, 'http://app').pathname];
  response.writeHead(found ? 200 : 404, { 'content-type': found?.[0] ?? 'text/plain' });
  response.end(found?.[1]);
}

const listen = (handler) => new Promise((resolve) => {
  const server = createServer(handler).listen(0, '127.0.0.1', () =>
    resolve(`http://127.0.0.1:${server.address().port}`));
});

let handle;
const issuer = await listen((request, response) => handle(request, response));
const app = await listen(pages);
handle = provider(issuer, app).callback();
const pem = backend.privateKey.export({ type: 'pkcs8', format: 'pem' });
console.log(JSON.stringify({ issuer, app, token_endpoint: `${issuer}/token`, kid: backend.kid, pem }));
// The test has ended.
process.stdin.resume().on('close', () => process.exit(0)).on('end', () => process.exit(0));
