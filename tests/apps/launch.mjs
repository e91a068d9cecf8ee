// A SMART app, in Chromium: `node launch.mjs APP BASE [PROVIDER [CLIENT]]`. Prints what the app has read.

import { chromiumOfTheSystem, signIn } from './people.mjs';

const [app, base, provider = 'oidc-provider', client = 'app'] = process.argv.slice(2);

const browser = await chromiumOfTheSystem();
try {
  const page = await browser.newPage();
  page.setDefaultTimeout(30_000);
  const said = [];
  page.on('console', (message) => said.push(message.text()));
  page.on('pageerror', (error) => said.push(String(error)));
  // Fonts that a provider’s pages ask for.
  await page.route((url) => url.hostname !== '127.0.0.1', (route) => route.abort());
  await page.goto(`${app}/launch.html?${new URLSearchParams({ iss: base, client })}`);
  try {
    await signIn(page, provider);
    const result = page.locator('#result');
    await page.waitForFunction(() => document.getElementById('result')?.textContent);
    console.log(await result.textContent());
  } catch (error) {
    throw new Error(`at ${page.url()}: ${said.join('\n')}\n${await page.locator('body').innerText()}`, { cause: error });
  }
} finally {
  await browser.close();
}
