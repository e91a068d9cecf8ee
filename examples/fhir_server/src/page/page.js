// The page: requests as buttons, each answer beside its explanation.

import { callers } from './callers.js';
import * as show from './show.js';
import { element, find, pill } from './show.js';

const demo = await (await fetch('/demo.json')).json();
find('base').textContent = demo.base_url;
find('rotate-row').hidden = !demo.rotate;

const buttons = demo.samples.map((sample, place) => {
  const isTheSame = (other) => other.method === sample.method && other.path === sample.path;
  const title = element('span', { class: 'what' }, sample.title);
  const mark = pill('', sample.status ?? '');
  const who = element('span', { class: 'who' }, sample.who ? `as ${sample.who}` : 'as nobody');
  const button = element('button', { type: 'button', class: 'sample' }, mark,
    title,
    element('code', {}, `${sample.method} ${sample.path}`), who);
  button.addEventListener('click', () => send(sample, button));
  const item = element('li', {}, button);
  find('samples').append(item);
  // Whoever asks, the same request is judged once.
  const isFirst = demo.samples.findIndex(isTheSame) === place;
  return { sample, button, title, mark, who, item, isFirst, before: undefined };
});

const caller = await callers(demo, judge, notice);
await judge();

function notice(text) {
  find('notice').hidden = !text;
  find('notice').textContent = text;
  if (text) find('status').textContent = text;
}

// Explains requests with one token, by the code that guards them.
async function explained(token, requests) {
  const asked = requests.map(({ method, path }) => ({ method, path }));
  const response = await fetch('/explain', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ token, requests: asked }),
  });
  if (!response.ok) throw new Error(`No explanation: ${await response.text()}`);
  return response.json();
}

// Marks each request: by what is promised for its own caller, else by whether this token is let in.
async function judge() {
  const own = caller.isOwn();
  for (const one of buttons) {
    one.who.hidden = !own;
    one.item.hidden = !own && !one.isFirst;
    one.title.textContent = own ? one.sample.title : one.sample.request;
  }
  if (own) {
    for (const one of buttons) {
      one.before = undefined;
      one.button.classList.remove('fell');
      set(one, one.sample.status < 400 ? 'good' : 'bad', one.sample.status);
    }
    find('marks').textContent = 'The number is the status to expect.';
    return;
  }
  const token = await caller.token({});
  const judged = buttons.filter((one) => one.isFirst);
  const verdicts = await explained(token, judged.map((one) => one.sample));
  let fallen = 0;
  for (const [place, one] of judged.entries()) {
    const { verdict } = verdicts[place];
    const isIn = verdict === 'accepted';
    const fell = one.before === true && !isIn;
    fallen += fell;
    one.button.classList.toggle('fell', fell);
    set(one, isIn ? 'good' : 'bad', { accepted: 'let in', refused: 'refused' }[verdict] ?? verdict);
    one.before = isIn;
  }
  const count = judged.filter((one) => one.before).length;
  const text = `${count} of ${judged.length} requests are let in with this token`
    + (fallen ? `; ${fallen} fell away just now.` : '.');
  find('marks').textContent = text;
  find('status').textContent = text;
}

function set(one, kind, text) {
  one.mark.className = `pill ${kind}`;
  one.mark.textContent = text;
}

// Sends a request, and asks why afterwards: by then the keys that it needed have been loaded.
async function send(sample, button) {
  notice('');
  find('status').textContent = 'Sending…';
  for (const { button: other } of buttons) other.removeAttribute('aria-current');
  button?.setAttribute('aria-current', 'true');
  try {
    const token = await caller.token(sample);
    const headers = {};
    if (token) headers.authorization = `Bearer ${token}`;
    if (sample.accept) headers.accept = sample.accept;
    if (sample.body) {
      headers['content-type'] = sample.method === 'PATCH'
        ? 'application/json-patch+json' : 'application/fhir+json';
    }
    const response = await fetch(demo.base + sample.path, {
      method: sample.method, headers, body: sample.body ?? undefined, cache: 'no-store',
    });
    const body = await response.text();
    const [explanation] = await explained(token, [sample]);
    find('sent').replaceChildren(element('code', {}, `${sample.method} ${sample.path}`),
      ` as ${caller.name(sample)}`);
    show.answer(response, body);
    show.why(explanation, response.status);
    find('result').scrollTop = 0;
    find('status').textContent = `${response.status}. ${explanation.conclusion}`;
    if (matchMedia('(max-width: 64rem)').matches) find('result').scrollIntoView();
  } catch (error) {
    notice(error.message);
  }
}

find('own-request').addEventListener('submit', (event) => {
  event.preventDefault();
  const body = find('body').value || undefined;
  const method = find('method').value;
  send({ method, path: find('path').value, body: method === 'GET' || method === 'HEAD' ? undefined : body });
});

find('rotate').addEventListener('click', async () => {
  const response = await fetch(demo.rotate, { method: 'POST' }).catch(() => null);
  notice(response?.ok
    ? 'The provider signs with a new key now. Tokens of the one before it serve on: its key stays published '
      + 'until the next rotation.'
    : 'The provider could not be reached.');
});
