// The /auth/mcp routes that docs/guides/sign-in-through-your-app.md shows, with Clerk's own SDKs: the token of a
// session goes to the configured MCP server's callback and nowhere else.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import typescript from 'typescript';
import { run } from '../clients/support/binary.mjs';
import { Browser } from '../clients/support/browser.mjs';
import { copyRoutes, expressApp, listen, nextRoute, reactRouterApp } from './support/routes.mjs';
import { freePort } from '../support/ports.mjs';
import { approved, session, startServer, userInfo } from './support/server.mjs';

const AVA = 'user_2EmuAvaMitchell000000000000';
const NOAH = 'user_2EmuNoahTanaka0000000000000';

let routes;
before(() => {
  routes = copyRoutes();
});

test('every route type-checks against its SDK', () => {
  const program = typescript.createProgram(routes, {
    allowJs: true,
    checkJs: true,
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    target: typescript.ScriptTarget.ES2022,
    module: typescript.ModuleKind.ESNext,
    moduleResolution: typescript.ModuleResolutionKind.Bundler,
    lib: ['lib.es2022.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'],
    types: ['node'],
  });
  const found = typescript.getPreEmitDiagnostics(program).map(({ messageText, file }) =>
    `${file?.fileName}: ${typescript.flattenDiagnosticMessageText(messageText, '\n')}`);
  assert.deepEqual(found, []);
});

/** The route reads its environment when it is loaded, and so one server serves them all. */
const worlds = { Express: expressApp, 'React Router': reactRouterApp, 'Next.js': nextRoute };

test('sign-in through an application', { timeout: 120_000 }, async (t) => {
  const ports = { Express: await freePort(), 'React Router': await freePort(), 'Next.js': await freePort() };
  const [first] = Object.values(ports);
  const server = await startServer(t, `http://127.0.0.1:${first}`);
  for (const [name, makeApp] of Object.entries(worlds)) {
    await listen(t, await makeApp(), ports[name]);
    const appUrl = `http://127.0.0.1:${ports[name]}`;
    /** What the application answers in the person's browser. */
    const atApp = (url, jwt) => {
      const here = new URL(url);
      here.port = ports[name];
      // A browser that was at Clerk before, and has nobody signed in.
      const signedOut = { cookie: '__clerk_db_jwt=dvb_test; __client_uat=0' };
      return new Browser().send(here, { headers: jwt ? { authorization: `Bearer ${jwt}` } : signedOut });
    };

    await t.test(`${name}: from consent to a tool, until the session ends`, async () => {
      const client = await approved(server);
      const asked = new URL(client.url);
      assert.equal(asked.origin + asked.pathname, `http://127.0.0.1:${first}/auth/mcp`);
      assert.deepEqual([...asked.searchParams.keys()], ['state', 'callback_url', 'client_name']);
      assert.equal(asked.searchParams.get('callback_url'), `${server.url}/callback`);
      assert.equal(asked.searchParams.get('client_name'), 'Example & Client');

      const { id, jwt } = await session(server, AVA);
      const sent = await atApp(client.url, jwt);
      assert.equal(sent.status, 303, sent.text);
      assert.equal(sent.headers.get('referrer-policy'), 'no-referrer');
      assert.equal(sent.headers.get('cache-control'), 'no-store');
      const back = await client.browser.send(sent.location);
      assert.equal(back.headers.get('referrer-policy'), 'no-referrer');
      const answer = new URL(back.location);
      assert.equal(answer.searchParams.get('state'), 'the-clients-state');
      assert.ok(!answer.href.includes(jwt));

      const tokens = await client.redeem(answer.searchParams.get('code'));
      assert.equal(tokens.status, 200, JSON.stringify(tokens));
      assert.equal((await userInfo(server, tokens.access_token)).user_id, AVA);
      const renewed = await client.refresh(tokens.refresh_token);
      assert.equal(renewed.status, 200, JSON.stringify(renewed));

      await fetch(`${server.clerkUrl}/_emulator/faults`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ operation: 'GetSession', status: 503 }),
      });
      const unavailable = await client.refresh(renewed.refresh_token);
      assert.equal(unavailable.status, 503, JSON.stringify(unavailable));
      await fetch(`${server.clerkUrl}/_emulator/faults`, { method: 'DELETE' });
      const again = await client.refresh(renewed.refresh_token);
      assert.equal(again.status, 200, JSON.stringify(again));

      await server.clerk('POST', `/v1/sessions/${id}/revoke`);
      const ended = await client.refresh(again.refresh_token);
      assert.equal(ended.status, 400);
      assert.equal(ended.error, 'invalid_grant');
    });

    await t.test(`${name}: the token goes to no other callback`, async () => {
      const { jwt } = await session(server, AVA);
      const own = `${server.url}/callback`;
      for (const callback of [
        'https://evil.example/callback',
        `${own}/`,
        `${own}?next=https://evil.example`,
        `${own}#x`,
        `${own}@evil.example`,
        own.replace('http://', 'http://evil.example@'),
        own.replace('127.0.0.1', '127.0.0.1.evil.example'),
        own.toUpperCase(),
        '//evil.example',
        '',
      ]) {
        const url = `${appUrl}/auth/mcp?${new URLSearchParams({ state: 's', callback_url: callback })}`;
        const refused = await atApp(url, jwt);
        assert.equal(refused.status, 400, callback);
        assert.equal(refused.location, null, callback);
        assert.ok(!refused.text.includes(jwt));
      }
      const [evil, good] = ['https://evil.example', own].map(encodeURIComponent);
      for (const query of [
        '',
        `callback_url=${good}`,
        `state=s`,
        `state=&callback_url=${good}`,
        `state=s&callback_url=${evil}&callback_url=${good}`,
        `state=s&callback_url[]=${evil}`,
      ]) {
        const refused = await atApp(`${appUrl}/auth/mcp?${query}`, jwt);
        assert.equal(refused.status, 400, query);
        assert.equal(refused.location, null, query);
      }
      // Whatever else the address says, the token goes to the configured one.
      for (const more of [`&callback_url=${evil}`, `&callback_url[x]=${evil}`, '&state=other', '&clerk_token=x']) {
        const answer = await atApp(`${appUrl}/auth/mcp?state=s&callback_url=${good}${more}`, jwt);
        if (answer.location) assert.equal(answer.location.split('?')[0], own, more);
        else assert.equal(answer.status, 400, more);
      }
    });

    await t.test(`${name}: without a session the browser goes to the sign-in, and comes back`, async () => {
      const client = await approved(server);
      const sent = await atApp(client.url);
      const location = new URL(sent.location);
      assert.equal(location.pathname, '/sign-in');
      assert.equal(location.searchParams.get('redirect_url'), new URL(client.url).pathname + new URL(client.url).search);
      assert.ok(!sent.location.includes('clerk_token'));
    });
  }

  await t.test('a link of somebody else signs nobody in, and its token leaves the address', async () => {
    const attacker = await approved(server);
    const { jwt } = await session(server, NOAH);
    const state = new URL(attacker.url).searchParams.get('state');
    const link = `${server.url}/callback?${new URLSearchParams({ state, clerk_token: jwt })}`;
    const victim = await approved(server);
    for (const browser of [victim.browser, new Browser()]) {
      const moved = await browser.send(link);
      assert.equal(moved.status, 303);
      assert.equal(moved.location, `${server.url}/callback?state=${state}`);
      const page = await browser.send(moved.location);
      assert.equal(page.status, 400);
      assert.equal(page.location, null);
    }
    // It is still good for whom it was made.
    const back = await attacker.browser.send(link);
    assert.ok(new URL(back.location).searchParams.has('code'), back.location);
  });

  await t.test('a form may come back in place of a redirect', async () => {
    const client = await approved(server);
    const { jwt } = await session(server, NOAH);
    const state = new URL(client.url).searchParams.get('state');
    const form = { state, clerk_token: jwt };
    const stranger = await new Browser().send(`${server.url}/callback`, { form });
    assert.equal(stranger.status, 400);
    const back = await client.browser.send(`${server.url}/callback`, { form });
    assert.equal(back.status, 303);
    const tokens = await client.redeem(new URL(back.location).searchParams.get('code'));
    assert.equal((await userInfo(server, tokens.access_token)).user_id, NOAH);
  });

  await t.test('serve --check asks for the route, and for the keys of session tokens', async () => {
    const check = (appUrl) => run(['serve', '--check', '--config', server.config, '--bind', '127.0.0.1:0', '--public-url', 'http://127.0.0.1:8788'], {
      env: {
        CLERK_API_URL: server.clerkUrl,
        CLERK_FRONTEND_API: server.clerkUrl,
        CLERK_SECRET_KEY: process.env.CLERK_SECRET_KEY,
        APP_URL: appUrl,
      },
    });
    const good = await check(`http://127.0.0.1:${first}`);
    assert.equal(good.code, 0, good.stderr);
    assert.match(good.stderr, /ok +Clerk's keys/);
    assert.match(good.stderr, /ok +application: http:\/\/127\.0\.0\.1:\d+\/auth\/mcp/);
    for (const [appUrl, expected] of [
      [server.url, /application: \S+\/auth\/mcp does not exist\s+hint: .*127\.0\.0\.1:8788\/callback/],
      [`http://127.0.0.1:${await freePort()}`, /application: .* cannot be reached[^]*hint: .*APP_URL/],
    ]) {
      const faulty = await check(appUrl);
      assert.notEqual(faulty.code, 0);
      assert.match(faulty.stderr, expected);
    }
  });

  await t.test('an old token, another kind of token and no token sign nobody in', async () => {
    const { jwt: old } = await session(server, AVA);
    const [head, , signature] = old.split('.');
    const forged = [head, Buffer.from(JSON.stringify({ sub: AVA })).toString('base64url'), signature].join('.');
    for (const token of [forged, 'x', '']) {
      const client = await approved(server);
      const state = new URL(client.url).searchParams.get('state');
      const back = await client.browser.send(`${server.url}/callback?${new URLSearchParams({ state, clerk_token: token })}`);
      assert.equal(new URL(back.location).searchParams.get('error'), 'server_error', token);
    }
    const client = await approved(server);
    await fetch(`${server.clerkUrl}/_emulator/clock`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ advance_ms: 70_000 }),
    });
    const state = new URL(client.url).searchParams.get('state');
    const back = await client.browser.send(`${server.url}/callback?${new URLSearchParams({ state, clerk_token: old })}`);
    assert.equal(new URL(back.location).searchParams.get('error'), 'server_error');
    assert.ok(!server.log().includes(old), 'the log holds a token');
  });
});
