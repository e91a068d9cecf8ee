// Tokens of the demo’s provider: authorization code with PKCE (RFC 7636) for people, client credentials for
// programs. Tokens are kept in memory alone.

const PENDING = 'sign-in';

const base64url = (bytes) =>
  btoa(String.fromCharCode(...bytes)).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');

const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

// Digests are there in a secure context alone: https, or loopback.
export const canSignIn = (demo) =>
  Boolean(demo.client_id && demo.authorization_endpoint && globalThis.crypto?.subtle);

const redirectUri = () => `${location.origin}/`;

// Leaves the page for the provider’s.
export async function beginSignIn(demo, lifetime, scopes = demo.scopes) {
  const [state, verifier] = [random(), random()];
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier));
  sessionStorage.setItem(PENDING, JSON.stringify({ state, verifier, lifetime }));
  const url = new URL(demo.authorization_endpoint);
  for (const [name, value] of Object.entries({
    response_type: 'code',
    client_id: demo.client_id,
    redirect_uri: redirectUri(),
    scope: scopes.join(' '),
    state,
    aud: demo.base_url,
    code_challenge: base64url(new Uint8Array(digest)),
    code_challenge_method: 'S256',
  })) url.searchParams.set(name, value);
  location.assign(url);
}

// Takes the code out of the address, if the provider has sent somebody back with one.
export async function finishSignIn(demo) {
  const answer = new URLSearchParams(location.search);
  const pending = JSON.parse(sessionStorage.getItem(PENDING) ?? 'null');
  if (!answer.has('code') && !answer.has('error')) return null;
  sessionStorage.removeItem(PENDING);
  history.replaceState(null, '', location.pathname);
  if (!pending || answer.get('state') !== pending.state) {
    throw new Error('The sign-in was not begun on this page, so that its code is not used.');
  }
  // RFC 9207: the answer of one provider is not taken for another’s.
  if (answer.has('iss') && answer.get('iss') !== demo.issuer) {
    throw new Error('The answer comes from another provider.');
  }
  if (answer.has('error')) throw new Error(`Not signed in: ${answer.get('error')}.`);
  return token(demo, {
    grant_type: 'authorization_code',
    code: answer.get('code'),
    redirect_uri: redirectUri(),
    client_id: demo.client_id,
    code_verifier: pending.verifier,
  }, pending.lifetime);
}

// Another token of the same grant, with these scopes or with fewer (RFC 6749 section 6).
export const renew = (demo, refreshToken, scopes, lifetime) => token(demo, {
  grant_type: 'refresh_token',
  refresh_token: refreshToken,
  client_id: demo.client_id,
  scope: scopes.join(' '),
}, lifetime);

// The token of a program, by the form that the sample names, or by the assertion that the demo hands out.
export async function ofProgram(demo, sample) {
  const fields = sample.ask ?? [
    ['client_assertion_type', 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'],
    ['client_assertion', await (await fetch(demo.assertion)).text()],
  ];
  return token(demo, { grant_type: 'client_credentials', ...Object.fromEntries(fields) });
}

async function token(demo, fields, lifetime) {
  const form = new URLSearchParams(fields);
  if (demo.lifetimes && lifetime) form.set('demo_lifetime', lifetime);
  const response = await fetch(demo.token_endpoint, { method: 'POST', body: form });
  const answer = await response.json();
  if (!answer.access_token) throw new Error(`The provider gives no token: ${answer.error}.`);
  return { ...answer, until: Date.now() + answer.expires_in * 1000 };
}

// What a token says of itself. Nobody has verified it: it is for the eye alone.
export function claims(accessToken) {
  try {
    const part = accessToken.split('.')[1].replace(/-/g, '+').replace(/_/g, '/');
    const bytes = Uint8Array.from(atob(part), (one) => one.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return {};
  }
}
