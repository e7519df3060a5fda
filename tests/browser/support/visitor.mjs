// Somebody at a browser.

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

export const PHONE = { width: 375, height: 812 };
export const DESKTOP = { width: 1280, height: 900 };

/** A visitor of a browser: with no cookies, and whatever the browser complains about collected. */
export async function visitorOf(browser, t, { colorScheme = 'light', viewport = DESKTOP, name = t.name } = {}) {
  const context = await browser.newContext({ colorScheme, viewport });
  t.after(() => context.close());
  return visitorIn(context, { colorScheme, viewport, name });
}

/** A visitor with a context of their own. */
export async function visitorIn(context, { colorScheme = 'light', viewport = DESKTOP, name }) {
  const page = await context.newPage();
  const complaints = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  let pictures = 0;
  const picture = async (what) => {
    const folder = process.env.SCREENSHOTS;
    if (!folder) return;
    mkdirSync(folder, { recursive: true });
    pictures += 1;
    const file = `${name}-${pictures}-${what}-${colorScheme}-${viewport.width}.png`.replace(/[^\w.-]+/g, '-');
    await page.screenshot({ path: join(folder, file), fullPage: true });
  };
  return { context, page, complaints, picture };
}

/** Nothing may need to be scrolled sideways. */
export async function fits(page) {
  const [inner, wide] = await page.evaluate(() => [innerWidth, document.documentElement.scrollWidth]);
  assert.ok(wide <= inner, `${page.url()} is ${wide} wide in a window of ${inner}`);
}
