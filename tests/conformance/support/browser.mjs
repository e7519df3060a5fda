// As much of a browser as sign-in needs: redirects, cookies and forms. No scripts: our pages have none.

import { parse } from 'node-html-parser';

const MAX_REDIRECTS = 20;
const REDIRECTS = [301, 302, 303, 307, 308];

export class Browser {
  /** Host name → cookie's name → { value, path }. As in every browser, a host's ports share their cookies. */
  #cookies = new Map();

  /** Follows a link or a typed address, and all redirects. */
  async open(url) {
    return this.#go(new URL(url), { method: 'GET' });
  }

  /** Submits `form` of `page` by `button`, with what the page filled in and the changes `fields`. */
  async submit(page, form, button, fields = {}) {
    const values = new URLSearchParams();
    for (const input of form.querySelectorAll('input, select, textarea')) {
      const name = input.getAttribute('name');
      if (name && name in fields) values.set(name, fields[name]);
      else if (name && isSent(input)) values.append(name, valueOf(input));
    }
    const name = button?.getAttribute('name');
    if (name) values.append(name, button.getAttribute('value') ?? '');
    const action = button?.getAttribute('formaction') ?? form.getAttribute('action') ?? '';
    const url = new URL(action, page.url);
    if ((form.getAttribute('method') ?? 'get').toLowerCase() !== 'post') {
      url.search = values;
      return this.#go(url, { method: 'GET' });
    }
    // A page that gives away no referrer gives away no origin either (Fetch, "append a request Origin header").
    const hidesOrigin = page.headers.get('referrer-policy')?.split(',').at(-1).trim() === 'no-referrer';
    const headers = {
      origin: hidesOrigin ? 'null' : new URL(page.url).origin,
      'content-type': 'application/x-www-form-urlencoded',
      'sec-fetch-site': new URL(page.url).origin === url.origin ? 'same-origin' : 'cross-site',
    };
    return this.#go(url, { method: 'POST', headers, body: values.toString() });
  }

  async #go(url, request) {
    for (let hop = 0; hop <= MAX_REDIRECTS; hop += 1) {
      const headers = { accept: 'text/html,*/*;q=0.8', 'sec-fetch-mode': 'navigate', ...request.headers };
      const cookie = this.#cookiesFor(url);
      if (cookie) headers.cookie = cookie;
      const response = await fetch(url, { ...request, headers, redirect: 'manual' });
      this.#keepCookies(url, response.headers.getSetCookie());
      const location = response.headers.get('location');
      if (!REDIRECTS.includes(response.status) || location === null) {
        return { url: url.href, status: response.status, headers: response.headers, html: parse(await response.text()) };
      }
      await response.arrayBuffer();
      url = new URL(location, url);
      // 307 and 308 send the form on; after the others the browser fetches (Fetch, "HTTP-redirect fetch").
      if (![307, 308].includes(response.status)) request = { method: 'GET' };
    }
    throw new Error(`more than ${MAX_REDIRECTS} redirects, the last to ${url.origin}${url.pathname}`);
  }

  #cookiesFor(url) {
    const cookies = this.#cookies.get(url.hostname) ?? new Map();
    return [...cookies]
      .filter(([, { path }]) => url.pathname === path || url.pathname.startsWith(path.endsWith('/') ? path : `${path}/`))
      .map(([name, { value }]) => `${name}=${value}`)
      .join('; ');
  }

  #keepCookies(url, lines) {
    const cookies = this.#cookies.get(url.hostname) ?? new Map();
    this.#cookies.set(url.hostname, cookies);
    for (const line of lines) {
      const [pair, ...attributes] = line.split(';').map((part) => part.trim());
      const [name, value] = splitOnce(pair);
      const attribute = new Map(attributes.map(splitOnce).map(([key, text]) => [key.toLowerCase(), text]));
      const path = attribute.get('path') || '/';
      const expires = attribute.has('expires') ? Date.parse(attribute.get('expires')) : Infinity;
      const isGone = attribute.has('max-age') ? Number(attribute.get('max-age')) <= 0 : expires <= Date.now();
      if (isGone) cookies.delete(name);
      else cookies.set(name, { value, path });
    }
  }
}

function splitOnce(text) {
  const at = text.indexOf('=');
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

function isSent(input) {
  if (input.hasAttribute('disabled')) return false;
  const type = (input.getAttribute('type') ?? 'text').toLowerCase();
  if (['submit', 'button', 'reset', 'image', 'file'].includes(type)) return false;
  return !['checkbox', 'radio'].includes(type) || input.hasAttribute('checked');
}

function valueOf(input) {
  if (input.tagName === 'SELECT') {
    const options = input.querySelectorAll('option');
    const chosen = options.find((option) => option.hasAttribute('selected')) ?? options[0];
    return chosen?.getAttribute('value') ?? chosen?.text ?? '';
  }
  if (input.tagName === 'TEXTAREA') return input.text;
  return input.getAttribute('value') ?? (input.getAttribute('type') === 'checkbox' ? 'on' : '');
}
