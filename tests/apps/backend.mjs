// A backend service by fhir-kit-client: `node backend.mjs BASE KEY KID`, with the key as a PEM file. It
// authenticates with a signed assertion (SMART Backend Services), reads and writes, and prints what happened.

import { randomUUID, createPrivateKey, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Client } from 'fhir-kit-client';

const [baseUrl, keyFile, kid] = process.argv.slice(2);
const client = new Client({ baseUrl });

function assertion(audience) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const now = Math.floor(Date.now() / 1000);
  const input = `${part({ alg: 'ES384', kid, typ: 'JWT' })}.${part({
    iss: 'backend', sub: 'backend', aud: audience, jti: randomUUID(), iat: now, exp: now + 60,
  })}`;
  const key = createPrivateKey(readFileSync(keyFile));
  const signature = sign('sha384', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' });
  return `${input}.${signature.toString('base64url')}`;
}

async function token(scope) {
  const { tokenUrl } = await client.smartAuthMetadata();
  const form = {
    grant_type: 'client_credentials',
    scope,
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: assertion(tokenUrl.href),
  };
  const response = await fetch(tokenUrl, { method: 'POST', body: new URLSearchParams(form) });
  const answer = await response.json();
  if (!answer.access_token) throw new Error(JSON.stringify(answer));
  return answer.access_token;
}

const refused = (asked) => asked.then(() => 200, (error) => error.response?.status ?? String(error));

const result = { nobody: await refused(client.read({ resourceType: 'Patient', id: '1' })) };
client.bearerToken = await token('system/*.cruds');
const body = { resourceType: 'Patient', name: [{ family: 'Haddad' }] };
const created = await client.create({ resourceType: 'Patient', body });
const { id } = created;
const read = await client.read({ resourceType: 'Patient', id });
result.family = read.name[0].family;
const changed = { ...read, birthDate: '1990-01-01' };
result.born = (await client.update({ resourceType: 'Patient', id, body: changed })).birthDate;
const patched = await client.patch({
  resourceType: 'Patient', id, jsonPatch: [{ op: 'replace', path: '/birthDate', value: '1991-01-01' }],
});
result.patched = patched.birthDate;
const found = await client.search({ resourceType: 'Patient', searchParams: { name: 'Haddad' } });
result.found = found.entry.some((entry) => entry.resource.id === id);
const bundle = { resourceType: 'Bundle', type: 'batch', entry: [{ request: { method: 'GET', url: `Patient/${id}` } }] };
result.batch = (await client.batch({ body: bundle })).entry[0].response.status;
await client.delete({ resourceType: 'Patient', id });
result.deleted = await refused(client.read({ resourceType: 'Patient', id }));
client.bearerToken = await token('system/Observation.rs');
result.another = await refused(client.read({ resourceType: 'Patient', id: '1' }));
console.log(JSON.stringify(result));
