// A browser of a few lines, for the emulator's pages: cookies, plain forms, redirects.

const ENTITIES = { '&amp;': '&', '&lt;': '<', '&gt;': '>', '&quot;': '"', '&#39;': "'" };

export class Browser {
  #cookies = new Map();

  /** One request, without following its redirect. */
  async send(url, { form, headers = {} } = {}) {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(url, {
      method: form ? 'POST' : 'GET',
      redirect: 'manual',
      headers: { accept: 'text/html', ...(cookie && { cookie }), ...headers },
      body: form && new URLSearchParams(form),
    });
    for (const line of response.headers.getSetCookie()) {
      const [pair] = line.split(';');
      const [name, value] = [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)];
      if (/;\s*max-age=0/i.test(line)) this.#cookies.delete(name);
      else this.#cookies.set(name, value);
    }
    const location = response.headers.get('location');
    return {
      url: String(url),
      status: response.status,
      headers: response.headers,
      location: location && new URL(location, url).href,
      text: await response.text(),
    };
  }

  cookie(name) {
    return this.#cookies.get(name);
  }

  /** Submits the first form of a page that has this field, with what it hides and what is chosen. */
  async submit(page, chosen) {
    const [field] = Object.keys(chosen);
    const forms = page.text.match(/<form[^]*?<\/form>/g) ?? [];
    const form = forms.find((text) => text.includes(`name="${field}"`));
    if (!form) throw new Error(`no form of ${page.url} has a field ${field}: ${page.text}`);
    const action = new URL(plain(form.match(/action="([^"]*)"/)[1]), page.url);
    const hidden = [...form.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g)];
    const fields = Object.fromEntries(hidden.map(([, name, value]) => [plain(name), plain(value)]));
    return this.send(action, { form: { ...fields, ...chosen } });
  }

  /**
   * From an authorization URL to the answer at the client's redirect URI.
   *
   * @param {{user: string, organization?: string, decision?: 'allow' | 'deny'}} person
   * @returns {Promise<URL>}
   */
  async authorize(url, { user, organization, decision = 'allow' }) {
    const { origin } = new URL(url);
    let page = await this.send(url);
    for (let step = 0; step < 10; step += 1) {
      if (page.location) {
        if (new URL(page.location).origin !== origin) return new URL(page.location);
        page = await this.send(page.location);
      } else if (page.url.includes('/sign-in')) {
        page = await this.submit(page, { user_id: user });
      } else if (page.url.includes('/oauth/consent')) {
        page = await this.submit(page, { decision, ...(organization && { organization_id: organization }) });
      } else {
        break;
      }
    }
    throw new Error(`no way on from ${page.url} (${page.status}): ${page.text}`);
  }
}

const plain = (text) => text.replace(/&(?:amp|lt|gt|quot|#39);/g, (entity) => ENTITIES[entity]);
