// A client of another make (npm openid-client): a token that is bound to a key of its own, then requests with
// proofs. Its argument is JSON: `issuer`, `resource`, `client`, `secret`, `scope`, `url`, `algorithm`. It prints, as JSON,
// the status of each request, the headers `dpop-nonce` of all answers, and the token.

import * as client from 'openid-client';

const { issuer, resource, client: id, secret, scope, url, algorithm } = JSON.parse(process.argv[2]);
const insecure = { execute: [client.allowInsecureRequests] };
const config = await client.discovery(new URL(issuer), id, undefined, client.ClientSecretBasic(secret), insecure);
const answers = [];
config[client.customFetch] = async (address, options) => {
  const response = await fetch(address, options);
  if (address.startsWith(url)) {
    answers.push({ status: response.status, nonce: response.headers.get('dpop-nonce') });
  }
  return response;
};
const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair(algorithm));
const parameters = { scope, ...(resource && { resource }) };
const token = await client.clientCredentialsGrant(config, parameters, { DPoP });
const read = async () => {
  const address = new URL(url);
  const body = null;
  const token_ = token.access_token;
  const response = await client.fetchProtectedResource(config, token_, address, 'GET', body, undefined, { DPoP });
  return [response.status, await response.text()];
};
const read_one = await read();
const read_two = await read();
console.log(JSON.stringify({
  token_type: token.token_type,
  access_token: token.access_token,
  reads: [read_one, read_two],
  answers,
}));
