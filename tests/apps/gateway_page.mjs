// The page of the gateway’s `--demo`, in Chromium: `node gateway_page.mjs BASE`. Prints what it shows.

import { chromiumOfTheSystem, signIn } from './people.mjs';

const [base] = process.argv.slice(2);
const browser = await chromiumOfTheSystem();
try {
  const page = await browser.newPage();
  page.setDefaultTimeout(30_000);
  const complaints = [];
  page.on('console', (message) => {
    const isRefusal = /^Failed to load resource: the server responded with a status of 4\d\d/.test(message.text());
    const isOurs = page.url().startsWith(new URL(base).origin);
    if (isOurs && message.type() === 'error' && !isRefusal) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  await page.route((url) => url.hostname !== '127.0.0.1', (route) => route.abort());
  await page.goto(`${new URL(base).origin}/`);

  const outcome = async (request) => {
    await page.locator('#answer').evaluate((place) => place.replaceChildren());
    await page.locator('button.sample:visible', { hasText: request }).first().click();
    await page.locator('#answer .verdict').waitFor();
    const [status, verdict] = [page.locator('#answer .verdict .pill'), page.locator('#why .verdict .pill')];
    return `${await status.innerText()} ${await verdict.innerText()}`;
  };
  const result = { nobody: await outcome('read patient 1') };
  await page.locator('#sign-in').click();
  await signIn(page, 'oidc-provider');
  await page.locator('#signed-in', { hasText: 'Signed in as amara' }).waitFor();
  result.own = await outcome('read patient 1');
  result.open = await outcome('read the capability statement');
  result.address = await outcome('a token in the address');
  await page.locator('#path').fill('/Patient/2');
  await page.locator('#answer').evaluate((place) => place.replaceChildren());
  await page.getByRole('button', { name: 'Send' }).click();
  await page.locator('#answer .verdict').waitFor();
  result.another = await page.locator('#answer .verdict .pill').innerText();
  console.log(JSON.stringify({ ...result, complaints }));
} finally {
  await browser.close();
}
