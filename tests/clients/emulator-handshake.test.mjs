// An application with Clerk's middleware for Express, whose people sign in at the emulator.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { createClerkClient, verifyToken } from '@clerk/backend';
import { clerkMiddleware, getAuth } from '@clerk/express';
import express from 'express';
import { EMULATOR_KEY, startEmulator } from './support/emulator.mjs';
import { AVA, NOAH } from './support/seed.mjs';

/** A browser that follows redirects and, unlike those of `support`, tells hosts apart by their cookies. */
class HostBrowser {
  #jars = new Map();

  jar(url) {
    const { hostname } = new URL(url);
    if (!this.#jars.has(hostname)) this.#jars.set(hostname, new Map());
    return this.#jars.get(hostname);
  }

  async send(url, form) {
    const jar = this.jar(url);
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(url, {
      method: form ? 'POST' : 'GET',
      redirect: 'manual',
      headers: { accept: 'text/html', 'sec-fetch-dest': 'document', ...(cookie && { cookie }) },
      body: form && new URLSearchParams(form),
    });
    for (const line of response.headers.getSetCookie()) {
      const [pair] = line.split(';');
      const [name, value] = [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)];
      if (/;\s*max-age=0/i.test(line)) jar.delete(name);
      else jar.set(name, value);
    }
    const location = response.headers.get('location');
    return { url, status: response.status, location: location && new URL(location, url).href, text: await response.text() };
  }

  /** Until there is a page, noting the paths on the way. */
  async visit(url, form) {
    // The middleware counts redirects within two seconds, to notice loops; a person is slower than that.
    for (const jar of this.#jars.values()) jar.delete('__clerk_redirect_count');
    const way = [];
    let page = await this.send(url, form);
    while (page.location && way.length < 12) {
      way.push(new URL(page.location).pathname);
      page = await this.send(page.location);
    }
    return { ...page, way };
  }
}

/** An application on localhost; the emulator is on 127.0.0.1, where its cookies do not reach. */
async function startApplication(t, emulator) {
  const application = express();
  const publishableKey = `pk_test_${Buffer.from(`${new URL(emulator.url).host}$`).toString('base64')}`;
  const signInUrl = `${emulator.url}/sign-in`;
  const keys = { secretKey: EMULATOR_KEY, publishableKey, apiUrl: emulator.url, telemetry: { disabled: true } };
  // The middleware reads the handshake with a client of its own, which knows the environment alone.
  const clerkClient = createClerkClient(keys);
  application.use(clerkMiddleware({ ...keys, clerkClient, proxyUrl: emulator.url, signInUrl }));
  application.get('/orders', (request, response) => {
    const { userId, sessionId } = getAuth(request);
    const here = `http://${request.headers.host}/orders`;
    if (!userId) return response.redirect(`${signInUrl}?${new URLSearchParams({ redirect_url: here })}`);
    return response.send(`orders of ${userId} in ${sessionId}`);
  });
  const server = createServer(application);
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://localhost:${server.address().port}`;
}

test('a person signs in at an application with Clerk’s middleware, and out again', async (t) => {
  const emulator = await startEmulator(t);
  const application = await startApplication(t, emulator);
  const browser = new HostBrowser();
  const orders = `${application}/orders`;

  const page = await browser.visit(orders);
  assert.deepEqual(page.way, ['/v1/client/handshake', '/orders', '/orders', '/sign-in'], 'handshake, cookies set, then the sign-in page');
  const signedIn = await browser.visit(`${emulator.url}/sign-in`, { user_id: AVA, redirect_url: orders });
  assert.deepEqual(signedIn.way, ['/orders', '/v1/client/handshake', '/orders', '/orders']);
  assert.match(signedIn.text, new RegExp(`^orders of ${AVA} in sess_`));
  assert.equal(signedIn.url, orders, 'no token stays in the address');

  const jar = browser.jar(application);
  const verify = (token) => verifyToken(token, { secretKey: EMULATOR_KEY, apiUrl: emulator.url, authorizedParties: [application] });
  const claims = await verify(jar.get('__session'));
  assert.deepEqual([claims.sub, claims.azp, claims.iss], [AVA, application, emulator.url]);
  assert.deepEqual((await browser.visit(orders)).way, [], 'the cookie is enough');

  // Without its token the application asks again, and gets a new one of the same session.
  jar.delete('__session');
  const again = await browser.visit(orders);
  assert.deepEqual(again.way, ['/v1/client/handshake', '/orders', '/orders']);
  assert.equal(again.text, signedIn.text);

  const out = await browser.visit(`${emulator.url}/sign-out`, { redirect_url: orders });
  assert.equal(new URL(out.url).pathname, '/sign-in');
  assert.equal(jar.has('__session'), false);
  const other = await browser.visit(`${emulator.url}/sign-in`, { user_id: NOAH, redirect_url: orders });
  assert.match(other.text, new RegExp(`^orders of ${NOAH} in sess_`));
});
