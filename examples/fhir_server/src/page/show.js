// What the page shows of an answer and of an explanation. Text is set as text, never as markup.

export const find = (id) => document.getElementById(id);

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// A pill with a word, so that colour is not all there is to see.
export const pill = (kind, text) => element('span', { class: `pill ${kind}` }, text);

const kindOf = (status) => (status < 300 ? 'good' : 'bad');

// The answer: its status, the headers that are about the token, and its body.
export function answer(response, body) {
  const shown = [...response.headers].filter(([name]) =>
    !['access-control-allow-origin', 'access-control-expose-headers', 'content-length', 'date', 'vary']
      .includes(name));
  const headers = shown.map(([name, value]) => `${name}: ${value}`).join('\n');
  const parts = [
    element('p', { class: 'verdict' }, pill(kindOf(response.status), String(response.status)),
      ` ${NAMES[response.status] ?? response.statusText}`),
    block('Headers', headers),
  ];
  parts.push(body ? block('Body', pretty(body)) : element('p', { class: 'hint' }, 'It has no body.'));
  find('answer').replaceChildren(...parts);
}

const NAMES = {
  200: 'OK', 201: 'Created', 202: 'Accepted', 204: 'No Content', 400: 'Bad Request',
  401: 'Unauthorized', 403: 'Forbidden', 404: 'Not Found', 405: 'Method Not Allowed',
  409: 'Conflict', 412: 'Precondition Failed', 422: 'Unprocessable Content', 502: 'Bad Gateway',
  503: 'Service Unavailable', 504: 'Gateway Timeout',
};

// What scrolls can be reached by keyboard.
const block = (label, text) =>
  element('pre', { tabindex: '0', role: 'region', 'aria-label': label }, text);

function pretty(body) {
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body;
  }
}

const OUTCOMES = {
  passed: ['good', '✓', 'passed'],
  failed: ['bad', '✗', 'failed'],
  unavailable: ['unsure', '?', 'could not be judged'],
  'would-pass': ['rest', '✓', 'would pass'],
  'would-fail': ['unsure', '✗', 'would fail, too'],
};

const SIDES = { client: 'The client', provider: 'The provider', server: 'This server' };

// The explanation: the verdict, what to change, and each check with both sides.
export function why(explanation, status) {
  const parts = [];
  const { verdict, conclusion } = explanation;
  const kind = { accepted: 'good', refused: 'bad' }[verdict] ?? 'unsure';
  const word = { accepted: 'let in', refused: 'refused' }[verdict] ?? verdict;
  const reason = conclusion.replace(/^(accepted|refused|undecided)[:,]?\s*/, '');
  parts.push(element('p', { class: 'verdict' }, pill(kind, word),
    ` ${reason || 'Every check that is made has passed.'}`));
  const advice = explanation.checks.flatMap((check) => check.advice ?? []);
  if (advice.length) {
    parts.push(element('h4', {}, 'What to change'), element('ul', { class: 'advice' },
      ...advice.map(({ side, text }) =>
        element('li', {}, element('b', {}, `${SIDES[side] ?? side}: `), text))));
  }
  if (verdict === 'accepted' && status >= 400) {
    parts.push(element('p', { class: 'note' },
      'The layer lets the request in. The handler holds the answer to what was granted, and says no more '
      + 'than it would of what does not exist.'));
  }
  if (explanation.public) {
    parts.push(element('p', { class: 'note' }, 'This address is open to everybody: no token is looked at.'));
  }
  const reached = explanation.checks.filter(({ outcome }) => outcome !== 'not-reached');
  if (reached.length) {
    parts.push(element('h4', {}, 'Every check, in order'),
      element('ol', { class: 'checks' }, ...reached.map(check)));
  }
  const missed = explanation.checks.filter(({ outcome }) => outcome === 'not-reached');
  if (missed.length && !explanation.public) {
    const names = missed.map(({ check: name }) => name).join(', ');
    parts.push(element('p', { class: 'hint' }, `Not reached: ${names}.`));
  }
  find('why').replaceChildren(...parts);
}

function check(step) {
  const [kind, sign, said] = OUTCOMES[step.outcome] ?? ['rest', '·', step.outcome];
  const item = element('li', { class: kind },
    element('span', { class: 'sign', 'aria-hidden': 'true' }, sign),
    element('span', { class: 'name' }, step.check, ' '),
    element('span', { class: step.outcome === 'passed' ? 'unseen' : 'said' }, said));
  if (step.summary) item.append(element('p', { class: 'summary' }, step.summary));
  const sides = [['found', step.found], ['expected', step.expected]].filter(([, side]) => side);
  if (sides.length) {
    item.append(element('dl', {}, ...sides.flatMap(([name, side]) => [
      element('dt', {}, step.unverified && name === 'found' ? 'found, unverified' : name),
      element('dd', {}, side),
    ])));
  }
  return item;
}
