// Judges requests as an API does that is built with another make (npm oauth4webapi). Its argument is JSON:
// `issuer`, `jwks_uri`, `audience`. Each line on standard input is a request as JSON: `method`, `url`,
// `headers`; each answer is `{"accepted": true}` or `{"accepted": false, "why": "…"}`.

import { createInterface } from 'node:readline';
import * as oauth from 'oauth4webapi';

const { issuer, jwks_uri, audience } = JSON.parse(process.argv[2]);
const server = { issuer, jwks_uri };

async function judge({ method, url, headers }) {
  try {
    const request = new Request(url, { method, headers });
    await oauth.validateJwtAccessToken(server, request, audience, { [oauth.allowInsecureRequests]: true });
    return { accepted: true };
  } catch (error) {
    return { accepted: false, why: `${error.message}` };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await judge(JSON.parse(line))));
}
