// An app of another make (npm openid-client) that a server asks for more (RFC 9470): it signs in, is let in to
// read, is refused to delete, signs in again as the challenge says, and deletes. Its argument is JSON: `issuer`,
// `resource`, `url`. It prints what happened as JSON.

import * as client from 'openid-client';

const { issuer, resource, url } = JSON.parse(process.argv[2]);
const redirect_uri = 'http://127.0.0.1/callback';
const insecure = { execute: [client.allowInsecureRequests] };
const config = await client.discovery(new URL(issuer), 'app', undefined, client.None(), insecure);

// A browser that only follows redirections and keeps cookies.
const cookies = new Map();
async function visit(address) {
  for (let visits = 0; visits < 10; visits += 1) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(address, { redirect: 'manual', headers: { cookie } });
    for (const line of response.headers.getSetCookie()) {
      const [pair] = line.split(';');
      cookies.set(pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1));
    }
    const location = response.headers.get('location');
    if (!location) throw new Error(`${address}: ${response.status} ${await response.text()}`);
    address = new URL(location, address);
    if (address.href.startsWith(redirect_uri)) return address;
  }
  throw new Error('too many redirections');
}

async function authorize(more) {
  const pkceCodeVerifier = client.randomPKCECodeVerifier();
  const expectedState = client.randomState();
  const address = client.buildAuthorizationUrl(config, {
    redirect_uri,
    resource,
    scope: 'openid user/Patient.rs user/Patient.d',
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    state: expectedState,
    ...more,
  });
  const back = await visit(address);
  const maxAge = more.max_age && Number(more.max_age);
  const checks = { pkceCodeVerifier, expectedState, ...(maxAge !== undefined && { maxAge }) };
  return client.authorizationCodeGrant(config, back, checks, { resource });
}

// The status, or what the challenge of the refusal says.
async function send(token, method) {
  try {
    const response = await client.fetchProtectedResource(config, token, new URL(url), method);
    return { status: response.status };
  } catch (error) {
    if (!(error instanceof client.WWWAuthenticateChallengeError)) throw error;
    const challenge = error.cause.find(({ parameters }) => parameters.error);
    return { status: error.status, scheme: challenge?.scheme, parameters: challenge?.parameters };
  }
}

const { access_token: first } = await authorize({});
const read = await send(first, 'GET');
const refused = await send(first, 'DELETE');
const { acr_values, max_age } = refused.parameters;
const { access_token: second } = await authorize({ acr_values, max_age });
const deleted = await send(second, 'DELETE');
console.log(JSON.stringify({ read, refused, deleted, first, second }));
