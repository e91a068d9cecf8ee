// The page of the demo: `node page.mjs CASE http://127.0.0.1:8080/ [FOLDER]`. A folder gets screenshots.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { accessible, inBrowser } from './kit.mjs';

const [name, url, folder] = process.argv.slice(2);

const sample = (page, title) => page.locator('button.sample:visible', { hasText: title });
const status = (page) => page.locator('#answer .verdict .pill');
const verdict = (page) => page.locator('#why .verdict .pill');
const why = (page) => page.locator('#why').innerText();

async function expect(locator, text) {
  const deadline = Date.now() + 15_000;
  let found;
  do {
    found = await locator.innerText().catch(() => '');
    if (text instanceof RegExp ? text.test(found) : found === text) return;
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  } while (Date.now() < deadline);
  assert.fail(`expected ${text}, found ${found}`);
}

async function click(page, title) {
  await page.locator('#answer').evaluate((place) => place.replaceChildren());
  await sample(page, title).first().click();
  await page.locator('#answer .verdict').waitFor();
}

async function signIn(page, who, seconds) {
  if (seconds) await page.locator('#lifetime').selectOption(String(seconds));
  await page.locator('#sign-in').click();
  await page.getByRole('button', { name: who }).click();
  await expect(page.locator('#signed-in'), /^Signed in as /);
}

async function open(page) {
  await page.goto(url);
  await sample(page, 'no token').first().waitFor();
  await expect(page.locator('#marks'), /./);
}

const cases = {
  // The first click shows a refusal, every check of it, both sides, and what to change.
  first: () => inBrowser(async (page, seen) => {
    await open(page);
    await click(page, "another patient's record");
    await expect(status(page), '403');
    await expect(verdict(page), 'refused');
    const text = await why(page);
    for (const word of ['What to change', 'signature', 'audience', 'found', 'expected']) {
      assert.ok(text.includes(word), `no ${word} in ${text}`);
    }
    assert.ok((await page.locator('#why .checks li').count()) >= 8, text);
    assert.match(await page.locator('#status').innerText(), /^403\. refused/);
    assert.ok(seen.requests.length > 5);
  }),

  samples: () => inBrowser(async (page) => {
    await open(page);
    const { samples } = await (await page.request.get(new URL('demo.json', url).href)).json();
    assert.ok(samples.length >= 18);
    for (const [place, promised] of samples.entries()) {
      await page.locator('#answer').evaluate((one) => one.replaceChildren());
      await page.locator('button.sample').nth(place).click();
      await expect(status(page), promised.status);
      // 404 is the handler's: the layer lets in, and the handler hides.
      const isIn = promised.status < 400 || promised.status === '404';
      await expect(verdict(page), isIn ? 'let in' : 'refused');
    }
  }),

  'sign-in': () => inBrowser(async (page, seen) => {
    await open(page);
    await signIn(page, 'Amara Peeters');
    const begun = new URL(seen.requests.find((one) => one.includes('/authorize?')));
    assert.equal(begun.searchParams.get('code_challenge_method'), 'S256');
    assert.equal(new URL(page.url()).search, '', 'the code is gone from the address');
    const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]));
    assert.equal(kept, '[{},{},""]', 'a token is kept in memory alone');
    await click(page, 'read patient 1');
    await expect(status(page), '200');
    await click(page, 'read patient 2');
    await expect(status(page), '403');

    // What falls away with a scope.
    const search = sample(page, "search everybody's observations");
    await expect(search.locator('.pill'), 'let in');
    for (const scope of ['patient/*.cruds', 'patient/*.rs']) await page.getByLabel(scope, { exact: true }).uncheck();
    await expect(page.locator('#marks'), /^\d+ of \d+ requests are let in/);
    await page.getByLabel('patient/Observation.rs').uncheck();
    await expect(search.locator('.pill'), 'refused');
    await expect(page.locator('#marks'), /1 fell away just now|[2-9] fell away just now/);
    await expect(sample(page, 'read patient 1').locator('.pill'), 'let in');
    await page.getByLabel('patient/Patient.rs').uncheck();
    await expect(sample(page, 'read patient 1').locator('.pill'), 'refused');
    await page.getByLabel('patient/Observation.rs').check();
    await expect(search.locator('.pill'), 'let in');

    await page.locator('#sign-out').click();
    await expect(page.locator('#signed-in'), 'Nobody yet.');
    // Nobody is nobody's token.
    await page.locator('#sign-in').click();
    await page.getByRole('button', { name: 'Nobody: go back' }).click();
    await expect(page.locator('#notice'), 'Not signed in: access_denied.');
    // A code that was not asked for here is not used.
    await page.goto(`${url}?code=a.b&state=c`);
    await expect(page.locator('#notice'), /^The sign-in was not begun on this page/);
  }),

  pasted: () => inBrowser(async (page) => {
    await open(page);
    const demo = await (await page.request.get(new URL('demo.json', url).href)).json();
    const form = { grant_type: 'client_credentials', client_id: 'reader', client_secret: 'demo' };
    const answer = await page.request.post(demo.token_endpoint, { form });
    const response = await answer.text();
    const token = JSON.parse(response).access_token;
    for (const text of [token, `Authorization: Bearer ${token}`, response, `"${token.slice(0, 60)}\n${token.slice(60)}"`]) {
      await page.locator('#token').fill(text);
      await click(page, 'read patient 1');
      await expect(status(page), '200');
    }
    await page.locator('#token').fill(`${token.slice(0, -4)}AAAA`);
    await click(page, 'read patient 1');
    await expect(status(page), '401');
    assert.match(await why(page), /signature/);
    await page.locator('#token').fill('nonsense');
    await page.locator('#path').fill('/Patient/1');
    await page.getByRole('button', { name: 'Send' }).click();
    await expect(status(page), '401');
    assert.ok(!(await page.content()).includes(token), 'no token is shown');
  }),

  expiry: () => inBrowser(async (page) => {
    await open(page);
    await signIn(page, 'Robin', 5);
    await page.locator('#path').fill('/Patient/1');
    await page.getByRole('button', { name: 'Send' }).click();
    await expect(status(page), '200');
    await expect(page.locator('#remaining'), 'The token has expired.');
    // The server allows for a second between two clocks.
    await page.waitForTimeout(2_000);
    await page.getByRole('button', { name: 'Send' }).click();
    await expect(status(page), '401');
    assert.match(await page.locator('#answer').innerText(), /"code": "expired"/);
    assert.match(await why(page), /expir/);
    await page.locator('#lifetime').selectOption('300');
    await page.locator('#renew').click();
    await expect(page.locator('#remaining'), /serves for \d+ s/);
    await page.getByRole('button', { name: 'Send' }).click();
    await expect(status(page), '200');
  }),

  rotation: () => inBrowser(async (page) => {
    await open(page);
    await signIn(page, 'Robin');
    const rotate = async () => {
      await page.locator('#notice').evaluate((place) => { place.textContent = ''; });
      await page.locator('#rotate').click();
      await expect(page.locator('#notice'), /signs with a new key now/);
    };
    const read = async (expected) => {
      await click(page, '/Patient/1');
      await expect(status(page), expected);
    };
    await read('200');
    await rotate();
    await read('200');
    await page.waitForTimeout(1_100);
    await page.locator('#own').check();
    await read('200');
    // The key of the first token is published no more once another one is loaded.
    await rotate();
    await page.waitForTimeout(1_100);
    await read('200');
    await page.locator('#person').check();
    await read('401');
    assert.match(await why(page), /key/);
    await page.locator('#renew').click();
    await expect(page.locator('#marks'), /^[1-9]\d* of/);
    await read('200');
  }),

  keyboard: () => inBrowser(async (page) => {
    await open(page);
    const focused = () => page.evaluate(() => {
      const { id, innerText, value } = document.activeElement;
      return `${id} ${innerText ?? ''} ${value ?? ''}`;
    });
    const tabTo = async (what) => {
      for (let presses = 0; presses < 80; presses += 1) {
        await page.keyboard.press('Tab');
        if (!what.test(await focused())) continue;
        const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
        assert.notEqual(outline, 'none', `${what} has focus that nobody sees`);
        return;
      }
      assert.fail(`${what} is not reached`);
    };
    await tabTo(/^sign-in/);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Who are you today?' }).waitFor();
    await tabTo(/Amara Peeters/);
    await page.keyboard.press('Enter');
    await expect(page.locator('#signed-in'), /^Signed in as amara/);
    await tabTo(/^scope-0/);
    await page.keyboard.press('Space');
    // Another token comes with the space bar, and focus stays where it is.
    assert.equal(await page.locator('#scope-0').isChecked(), false);
    assert.match(await focused(), /^scope-0/);
    await tabTo(/read patient 2/i);
    await page.keyboard.press('Enter');
    await expect(status(page), '403');
    assert.match(await page.locator('#status').innerText(), /^403/);
    // What scrolls is reached, too.
    await page.locator('.skip').focus();
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    const region = await page.evaluate(() => document.activeElement.getAttribute('aria-label'));
    assert.equal(region, 'Headers');
  }),

  accessible: async () => {
    for (const colorScheme of ['light', 'dark']) {
      for (const width of [1440, 390]) {
        const settings = { colorScheme, viewport: { width, height: 900 }, reducedMotion: 'reduce' };
        await inBrowser(async (page) => {
          const shot = async (what) => {
            await accessible(page, `${what}, ${colorScheme}, ${width}`);
            const wide = await page.evaluate(() => document.documentElement.scrollWidth);
            assert.ok(wide <= width, `${what} is ${wide} wide, of ${width}`);
            if (!folder) return;
            const path = join(folder, `${what}-${colorScheme}-${width}.png`);
            await page.screenshot({ path, fullPage: true });
          };
          await open(page);
          await shot('first');
          await click(page, "another patient's record");
          await shot('refused');
          await page.locator('#sign-in').click();
          await page.getByRole('button', { name: 'Amara' }).waitFor();
          await shot('people');
          await page.getByRole('button', { name: 'Amara' }).click();
          await expect(page.locator('#signed-in'), /^Signed in as /);
          await page.getByLabel('patient/*.cruds').uncheck();
          await expect(page.locator('#marks'), /fell away|are let in/);
          await click(page, "search everybody's observations");
          await shot('signed-in');
        }, settings);
      }
    }
  },
};

assert.ok(cases[name], `there is no case ${name}: ${Object.keys(cases).join(' ')}`);
await cases[name]();
