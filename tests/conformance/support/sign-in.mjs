// A person who wants to get in: approves, picks the first seeded person, approves again.

import { Browser } from './browser.mjs';

/** Consent, sign-in and consent at Clerk, organization, and something to spare. */
const MAX_PAGES = 10;
const REFUSES = /\b(cancel|decline|deny|reject|sign out)\b/i;
const APPROVES = /\b(accept|allow|approve|authorize)\b/i;

/** Opens `url` in a browser and goes through every page until it is back at `redirectUri`. */
export async function signIn(url, redirectUri, browser = new Browser()) {
  let page = await browser.open(url);
  for (let pages = 0; pages < MAX_PAGES; pages += 1) {
    const here = page.url.split('?')[0];
    if (here === redirectUri) return page;
    const way = page.status === 200 ? wayOn(page.html) : null;
    if (!way) {
      const text = page.html.structuredText.slice(0, 500);
      throw new Error(`sign-in ended at ${here} with status ${page.status}:\n${text}`);
    }
    page = await browser.submit(page, way.form, way.button);
  }
  throw new Error(`sign-in took more than ${MAX_PAGES} pages`);
}

/** The button that approves if there is one, else the first that does not refuse and needs nothing typed. */
function wayOn(html) {
  const ways = html.querySelectorAll('form').flatMap((form) => {
    const wantsText = form
      .querySelectorAll('input[required], textarea[required]')
      .some((input) => !input.getAttribute('value') && !['checkbox', 'radio'].includes(input.getAttribute('type')));
    if (wantsText) return [];
    const buttons = form.querySelectorAll('button:not([type=button]), input[type=submit]');
    return buttons.map((button) => ({ form, button, text: `${button.getAttribute('value') ?? ''} ${button.text}` }));
  });
  return ways.find(({ text }) => APPROVES.test(text)) ?? ways.find(({ text }) => !REFUSES.test(text)) ?? null;
}
