// Sign-in as an MCP client and its person do it: registration, authorization, consent, Clerk's sign-in.

import { createHash, randomBytes } from 'node:crypto';

const REDIRECT_URI = 'http://127.0.0.1:9/callback';
const MOST_STEPS = 12;
const ENTITIES = { '&amp;': '&', '&lt;': '<', '&gt;': '>', '&quot;': '"', '&#39;': "'", '&#x27;': "'" };
const plain = (text) => text.replace(/&(?:amp|lt|gt|quot|#39|#x27);/g, (entity) => ENTITIES[entity]);

/** A client that has registered itself, with a browser in which its person stays signed in. */
export class McpClient {
  #origin;
  #clientId;
  #cookies = new Map();

  static async register(origin) {
    const response = await fetch(`${origin}/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-forwarded-for': someAddress() },
      body: JSON.stringify({
        // A name of its own: of the same client, registered twice, there is one.
        client_name: `Benchmark ${randomBytes(6).toString('hex')}`,
        redirect_uris: [REDIRECT_URI],
        token_endpoint_auth_method: 'none',
        grant_types: ['authorization_code', 'refresh_token'],
      }),
    });
    if (!response.ok) throw new Error(`no registration: ${response.status} ${await response.text()}`);
    const client = new McpClient();
    client.#origin = origin;
    client.#clientId = (await response.json()).client_id;
    return client;
  }

  /** The form that redeems a new code, of this one of Clerk's people. */
  async codeForm(person = 0) {
    const verifier = randomBytes(32).toString('base64url');
    const state = randomBytes(8).toString('hex');
    const url = new URL('/authorize', this.#origin);
    url.search = new URLSearchParams({
      response_type: 'code',
      client_id: this.#clientId,
      redirect_uri: REDIRECT_URI,
      scope: 'tools:read',
      state,
      resource: `${this.#origin}/mcp`,
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
    });
    const back = await this.#browse(url, person);
    const code = back.searchParams.get('code');
    if (!code || back.searchParams.get('state') !== state) throw new Error(`no code came back: ${back}`);
    return new URLSearchParams({
      grant_type: 'authorization_code',
      code,
      client_id: this.#clientId,
      redirect_uri: REDIRECT_URI,
      code_verifier: verifier,
    }).toString();
  }

  /** An access token. */
  async accessToken(person = 0) {
    const body = await this.codeForm(person);
    const headers = { 'content-type': 'application/x-www-form-urlencoded', 'x-forwarded-for': someAddress() };
    const response = await fetch(`${this.#origin}/token`, { method: 'POST', headers, body });
    if (!response.ok) throw new Error(`no token: ${response.status} ${await response.text()}`);
    return (await response.json()).access_token;
  }

  /** Follows redirects and fills in forms until the browser is sent back to the client. */
  async #browse(start, person) {
    const address = someAddress();
    let page = await this.#send(start, { address });
    for (let step = 0; step < MOST_STEPS; step += 1) {
      if (page.location?.href.startsWith(REDIRECT_URI)) return page.location;
      page = page.location
        ? await this.#send(page.location, { address })
        : await this.#send(...submission(page, address, person));
    }
    throw new Error(`the sign-in does not end: ${page.url}`);
  }

  async #send(url, { form, address }) {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(url, {
      method: form ? 'POST' : 'GET',
      redirect: 'manual',
      headers: { accept: 'text/html', cookie, 'x-forwarded-for': address },
      body: form,
    });
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      if (/max-age=0/i.test(line)) this.#cookies.delete(name);
      else this.#cookies.set(name, value);
    }
    const location = response.headers.get('location');
    const text = await response.text();
    return { url: new URL(url), status: response.status, location: location && new URL(location, url), text };
  }
}

/** Another address each time: limits per address are not what is measured. */
function someAddress() {
  return [10, ...randomBytes(3)].join('.');
}

/** What a person chooses on each of the pages, as arguments of the next request. */
function submission(page, address, person) {
  const choices = [
    ['decision', 'approve'], // our consent page
    ['user_id', null], // Clerk's sign-in page: one of the people
    ['decision', 'allow'], // Clerk's consent page
  ];
  const forms = page.text.match(/<form[^]*?<\/form>/g) ?? [];
  for (const [name, value] of choices) {
    const button = new RegExp(`name="${name}"[^>]*value="(${value ?? '[^"]+'})"`, 'g');
    const form = forms.find((text) => text.search(button) >= 0);
    if (!form) continue;
    const buttons = [...form.matchAll(button)];
    const chosen = buttons[name === 'user_id' ? person : 0];
    const fields = new URLSearchParams();
    for (const [input] of form.matchAll(/<input[^>]*type="(?:hidden|checkbox"[^>]*checked)[^>]*>/g)) {
      const [, field] = /name="([^"]*)"/.exec(input) ?? [];
      if (field) fields.append(plain(field), plain(/value="([^"]*)"/.exec(input)[1]));
    }
    fields.append(name, plain(chosen[1]));
    const action = new URL(plain(/action="([^"]*)"/.exec(form)[1]), page.url);
    return [action, { form: fields, address }];
  }
  throw new Error(`no way on from ${page.url} (${page.status}): ${page.text}`);
}
