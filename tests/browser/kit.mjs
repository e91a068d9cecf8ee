// The system's Chromium, and what must hold of every page in it: nothing is asked of anybody elsewhere, and
// nothing is complained of.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

const PROGRAMS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

export async function inBrowser(run, settings = {}) {
  const executablePath = process.env.CHROMIUM ?? PROGRAMS.find((path) => existsSync(path));
  assert.ok(executablePath, 'no Chromium: CHROMIUM names one');
  // Its sandbox needs what containers do not give.
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  try {
    const context = await browser.newContext({ viewport: { width: 1440, height: 1000 }, ...settings });
    const seen = watch(context);
    const page = await context.newPage();
    page.setDefaultTimeout(20_000);
    await run(page, seen);
    assert.deepEqual(seen.elsewhere(), [], 'asked of somebody else');
    assert.deepEqual(seen.complaints, [], 'complained of');
  } finally {
    await browser.close();
  }
}

function watch(context) {
  const [requests, complaints] = [[], []];
  context.on('request', (request) => requests.push(request.url()));
  context.on('weberror', ({ error }) => complaints.push(String(error())));
  context.on('console', (message) => {
    // Chromium says so of every answer that is a refusal, and those are what the page is for.
    const isRefusal = /^Failed to load resource: the server responded with a status of 4\d\d/.test(message.text());
    if (['error', 'warning'].includes(message.type()) && !isRefusal) complaints.push(message.text());
  });
  // Everything of a test is on loopback.
  const elsewhere = () => requests.filter((url) => !/^(http:\/\/127\.0\.0\.1:\d+\/|data:,)/.test(url));
  return { requests, complaints, elsewhere };
}

const axe = createRequire(import.meta.url).resolve('axe-core');

// What the rules of WCAG 2.2 AA, and the best practices of axe, find on a page.
export async function accessible(page, where) {
  // By evaluation, which the policy of the page does not forbid a debugger.
  const { readFile } = await import('node:fs/promises');
  await page.evaluate(await readFile(axe, 'utf8'));
  const found = await page.evaluate(async () => {
    const { violations } = await globalThis.axe.run();
    return violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html).join(' ')}`);
  });
  assert.deepEqual(found, [], where);
}
