// A person with a browser, on the way from a client's authorization URL back to the client: our consent form, then
// sign-in and consent at the emulator.

import { Browser } from './browser.mjs';

const MOST_STEPS = 15;

/**
 * Approves, signs in, and gives the URL that the browser would open at the client.
 *
 * @param {string | URL} url what the client wants opened
 * @param {{user?: string, organization?: string, decision?: 'approve' | 'deny', scopes?: string[], browser?: Browser}} person
 *   `scopes`: those that stay ticked, of those asked for
 * @returns {Promise<URL>}
 */
export async function signIn(url, { user, organization, decision = 'approve', scopes, browser = new Browser() }) {
  const own = new URL(url).origin;
  const redirect = new URL(url).searchParams.get('redirect_uri').split('?')[0];
  let page = await browser.send(url);
  for (let step = 0; step < MOST_STEPS; step += 1) {
    if (page.location) {
      if (page.location.split('?')[0] === redirect) return new URL(page.location);
      page = await browser.send(page.location);
    } else if (page.url.startsWith(`${own}/authorize`)) {
      const asked = fieldsOf(page, 'scope');
      const kept = scopes ? asked.filter((scope) => scopes.includes(scope)) : asked;
      const form = [['handle', fieldsOf(page, 'handle')[0]], ...kept.map((scope) => ['scope', scope]), ['decision', decision]];
      page = await browser.send(`${own}/authorize/consent`, { form, headers: { origin: own } });
    } else if (page.url.includes('/sign-in')) {
      page = await browser.submit(page, { user_id: user });
    } else if (page.url.includes('/oauth/consent')) {
      page = await browser.submit(page, { decision: 'allow', ...(organization && { organization_id: organization }) });
    } else {
      break;
    }
  }
  throw new Error(`no way on from ${page.url.split('?')[0]} (${page.status}): ${page.text.replace(/<style>[^]*?<\/style>/, '').slice(0, 1500)}`);
}

/** The values of all fields of a page with this name. */
function fieldsOf(page, name) {
  const inputs = page.text.match(/<input[^>]*>/g) ?? [];
  const named = inputs.filter((input) => input.includes(`name="${name}"`));
  return named.map((input) => input.match(/value="([^"]*)"/)[1]);
}
