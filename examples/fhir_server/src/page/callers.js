// Whose token is sent: that of the request’s own caller, of somebody who has signed in, or one that was pasted.

import { beginSignIn, canSignIn, claims, finishSignIn, ofProgram, renew } from './oauth.js';
import { element, find } from './show.js';

const OFFLINE = 'offline_access';

// `changed` is called when another token is sent from now on.
export async function callers(demo, changed, notice) {
  let session = null;
  let granted = [];
  let busy = Promise.resolve();
  const lifetime = () => Number(find('lifetime').value);
  const chosen = () => document.querySelector('input[name=caller]:checked').value;

  // One at a time: a refresh token serves once.
  const inTurn = (work) => {
    busy = busy.then(work).catch((error) => notice(error.message));
    return busy;
  };

  function show() {
    find('person').disabled = !session;
    find('sign-in').textContent = session ? 'Sign in as somebody else…' : 'Sign in…';
    for (const id of ['renew', 'sign-out']) find(id).hidden = !session;
    find('renew').hidden = !session?.refresh_token;
    find('scopes').hidden = granted.length === 0;
    if (!session) {
      if (find('person').checked) find('own').checked = true;
      find('signed-in').textContent = 'Nobody yet.';
      return;
    }
    const { sub, patient, fhirUser, roles } = claims(session.access_token);
    const facts = [`Signed in as ${sub}`];
    if (patient) facts.push(`patient ${patient}`);
    if (fhirUser) facts.push(fhirUser);
    if (roles?.length) facts.push(`role ${[roles].flat().join(', ')}`);
    find('signed-in').replaceChildren(
      `${facts.join(', ')}. `, element('span', { id: 'remaining', class: 'hint' }));
    remain();
  }

  function remain() {
    const place = document.getElementById('remaining');
    if (!place || !session) return;
    const seconds = Math.ceil((session.until - Date.now()) / 1000);
    place.textContent = seconds > 0 ? `The token serves for ${seconds} s.` : 'The token has expired.';
    place.classList.toggle('over', seconds <= 0);
  }

  function offer(scopes) {
    granted = scopes.filter((scope) => scope !== OFFLINE);
    find('scope-list').replaceChildren(...granted.map((scope, place) => {
      const box = element('input', { type: 'checkbox', id: `scope-${place}`, value: scope });
      box.checked = true;
      box.addEventListener('change', () => inTurn(narrow));
      return element('div', {}, box, element('label', { for: box.id }, element('code', {}, scope)));
    }));
  }

  const ticked = () =>
    [...find('scope-list').querySelectorAll('input:checked')].map((box) => box.value);

  async function narrow() {
    if (!session.refresh_token) {
      await beginSignIn(demo, lifetime(), ticked());
      return;
    }
    const again = await renew(demo, session.refresh_token, [OFFLINE, ...ticked()], lifetime());
    session = { ...session, ...again };
    find('person').checked = true;
    show();
    await changed();
  }

  find('sign-in').addEventListener('click', () => inTurn(() => beginSignIn(demo, lifetime())));
  find('renew').addEventListener('click', () => inTurn(narrow));
  find('sign-out').addEventListener('click', () => {
    [session, granted] = [null, []];
    show();
    find('sign-in').focus();
    changed();
  });
  for (const radio of document.querySelectorAll('input[name=caller]')) {
    radio.addEventListener('change', () => changed());
  }
  find('token').addEventListener('input', () => {
    find('pasted').checked = true;
    find('taken-away').textContent = understood(find('token').value).said;
    changed();
  });
  setInterval(remain, 1000);

  find('own-row').hidden = !demo.samples.some((sample) => sample.who);
  find('person-row').hidden = !canSignIn(demo);
  find('lifetime-row').hidden = !demo.lifetimes;
  if (find('own-row').hidden) find('pasted').checked = true;
  await inTurn(async () => {
    session = await finishSignIn(demo);
    if (!session) return;
    // What is not said is what was asked for (RFC 6749 section 5.1).
    offer((session.scope ?? demo.scopes.join(' ')).split(' ').filter(Boolean));
    find('person').disabled = false;
    find('person').checked = true;
  });
  show();

  return {
    isOwn: () => chosen() === 'own',
    // The token for a request, or nothing.
    async token(sample) {
      if (chosen() === 'pasted') return understood(find('token').value).token;
      if (chosen() === 'person') return session?.access_token;
      return sample.who ? (await ofProgram(demo, sample)).access_token : undefined;
    },
    // By which name the result calls whoever asks.
    name(sample) {
      if (chosen() === 'pasted') return 'whoever has the token';
      if (chosen() === 'person') return claims(session.access_token).sub;
      return sample.who ?? 'nobody';
    },
  };
}

// The token in what people paste, and what was taken away from around it.
function understood(text) {
  let token = text.trim();
  const away = [];
  const take = (pattern, what) => {
    const rest = token.replace(pattern, '');
    if (rest === token) return;
    token = rest.trim();
    away.push(what);
  };
  try {
    const inner = JSON.parse(token).access_token;
    if (typeof inner === 'string') [token] = [inner, away.push('the token response')];
  } catch {
    // It is no token response.
  }
  take(/^["']|["'],?$/g, 'quotes');
  take(/^authorization:/i, 'the name of the header');
  take(/^bearer\s+/i, 'the scheme');
  take(/\s+/g, 'line breaks');
  const said = away.length ? `Taken away from it: ${away.join(', ')}.` : '';
  return { token: token || undefined, said };
}
