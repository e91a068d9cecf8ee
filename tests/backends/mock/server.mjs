// `@medplum/mock` over HTTP, as a server that ignores what it is asked: a search finds all that there is of
// its type, a compartment or `$everything` all that there is at all, a history all versions. It pages as it
// likes, and answers the read of an id that it does not have with somebody else's resource. It ends with
// its input.
import { createServer } from 'node:http';
import { MockClient } from '@medplum/mock';

const PAGE = 60;
const { repo, router } = new MockClient();
/** The names of all resources that there ever were. */
const names = new Set();

const server = createServer(async (request, response) => {
  let body = '';
  for await (const part of request) body += part;
  const [path, query = ''] = request.url.replace(/^\/fhir/, '').split('?');
  const answer = await answered(request.method, path, new URLSearchParams(query), body);
  const [status, content] = answer;
  response.writeHead(status, { 'content-type': 'application/fhir+json', etag: `W/"${content.meta?.versionId}"` });
  response.end(JSON.stringify(content));
});

async function answered(method, path, query, body) {
  const segments = path.split('/').filter(Boolean);
  if (method === 'PUT') return put(segments, JSON.parse(body));
  if (method === 'DELETE') return routed(method, path);
  if (path === '/metadata') return [200, { resourceType: 'CapabilityStatement', rest: [{ mode: 'server' }] }];
  if (query.has('_after')) return paged(path, Number(query.get('_after')));
  const [first, id, third] = segments;
  const isOne = id && !id.startsWith('_') && !id.startsWith('$') && (!third || segments.length === 4);
  if (!isOne) return paged(path, 0);
  const found = await routed(method, path);
  // Anything is better than nothing.
  return found[0] === 404 && id.includes('x') ? routed('GET', `/${[...names].find((name) => name.startsWith(`${first}/`))}`) : found;
}

async function put([type, id], resource) {
  names.add(`${type}/${id}`);
  const known = await repo.readResource(type, id).catch(() => undefined);
  return [known ? 200 : 201, known ? await repo.updateResource(resource) : await repo.createResource(resource)];
}

async function routed(method, url) {
  const [outcome, resource] = await router.handleRequest({ method, url, pathname: '', query: {}, params: {} }, repo);
  if (resource) return [200, resource];
  return [outcome.id === 'ok' ? 200 : outcome.id === 'gone' ? 410 : 404, outcome];
}

async function paged(path, after) {
  const [first, second] = path.split('/').filter(Boolean);
  const isOfType = first && !first.startsWith('_') && (!second || second.startsWith('_'));
  const wanted = [...names].filter((name) => !isOfType || name.startsWith(`${first}/`));
  const isHistory = path.endsWith('/_history');
  const found = [];
  for (const name of wanted) {
    const [type, id] = name.split('/');
    const one = await repo.readResource(type, id).catch(() => undefined);
    // Its history comes the other way around each time, and pages need an order that stays.
    if (isHistory && one) found.push(...(await repo.readHistory(type, id)).entry.map((entry) => entry.resource).sort(byVersion));
    else if (one) found.push(one);
  }
  const entry = found.slice(after, after + PAGE).map((resource) => ({
    fullUrl: `${base()}/${resource.resourceType}/${resource.id}`,
    resource,
    ...(isHistory ? { request: { method: 'PUT', url: `${resource.resourceType}/${resource.id}` }, response: { status: '200' } } : {}),
  }));
  const link = [{ relation: 'self', url: `${base()}${path}` }];
  if (after + PAGE < found.length) link.push({ relation: 'next', url: `${base()}${path}?_after=${after + PAGE}` });
  return [200, { resourceType: 'Bundle', type: isHistory ? 'history' : 'searchset', total: found.length, link, entry }];
}

const byVersion = (one, other) => (one.meta.versionId < other.meta.versionId ? -1 : 1);
const base = () => `http://127.0.0.1:${server.address().port}/fhir`;
server.listen(0, '127.0.0.1', () => console.log(`listening on ${base()}`));
process.stdin.on('end', () => process.exit(0)).resume();
