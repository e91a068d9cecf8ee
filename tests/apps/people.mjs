// The system’s Chromium, and somebody who signs in at a provider.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

// How somebody signs in, at each provider.
const PROVIDERS = {
  async 'oidc-provider'(page) {
    await page.locator('input[name=login]').fill('amara');
    await page.locator('input[name=password]').fill('any');
    await page.getByRole('button', { name: 'Sign-in' }).click();
    await page.getByRole('button', { name: 'Continue' }).click();
  },
  async keycloak(page) {
    await page.locator('#username').fill(process.env.SMART_USER ?? 'amara');
    await page.locator('#password').fill(process.env.SMART_PASSWORD ?? 'amara');
    await page.locator('#kc-login').click();
  },
};

export const signIn = (page, provider) => PROVIDERS[provider](page);

const PROGRAMS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

export function chromiumOfTheSystem() {
  const executablePath = process.env.CHROMIUM ?? PROGRAMS.find((path) => existsSync(path));
  assert.ok(executablePath, 'no Chromium: CHROMIUM names one');
  // Its sandbox needs what containers do not give.
  return chromium.launch({ executablePath, args: ['--no-sandbox'] });
}
