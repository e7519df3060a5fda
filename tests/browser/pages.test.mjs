// The way of a person through the pages, in a browser, in light and in dark. With SCREENSHOTS=FOLDER every page is
// kept as a picture.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startDev } from '../conformance/support/dev.mjs';
import { launch } from './support/chromium.mjs';
import { callTool, startClient } from './support/client.mjs';
import { DESKTOP, fits, PHONE, visitorOf } from './support/visitor.mjs';

let browser;
let dev;

before(async () => {
  assert.ok(process.env.CLERK_MCP_BIN, 'CLERK_MCP_BIN names the binary under test');
  [browser, dev] = await Promise.all([launch(), startDev(process.env.CLERK_MCP_BIN)]);
});

after(async () => {
  await browser?.close();
  dev?.stop();
});

const visitor = (t, options) => visitorOf(browser, t, options);

for (const colorScheme of ['light', 'dark']) {
  for (const viewport of [DESKTOP, PHONE]) {
    test(`a person connects a client: ${colorScheme}, ${viewport.width} wide`, async (t) => {
      const client = await startClient(dev.issuer);
      t.after(client.stop);
      const { page, complaints, picture } = await visitor(t, { colorScheme, viewport, name: 'connect' });
      await page.goto(client.authorizeUrl());
      await page.getByRole('heading', { level: 1 }).waitFor();
      await fits(page);
      await picture('consent');
      assert.match(await page.textContent('body'), /Browser test/);
      assert.match(await page.textContent('body'), /this computer/i);
      await page.getByRole('button', { name: /allow|approve/i }).click();

      await page.getByText('Ava Mitchell').first().waitFor();
      await picture('clerk-sign-in');
      await page.locator('button, label, a').filter({ hasText: 'Ava Mitchell' }).first().click();
      const allow = page.getByRole('button', { name: /allow/i });
      await allow.waitFor();
      await picture('clerk-consent');
      await allow.click();

      await page.getByRole('heading', { name: 'Back at the client' }).waitFor();
      const [back] = client.returned;
      assert.equal(back.state, 'the-clients-state');
      assert.equal(back.iss, dev.issuer);
      const { status, body } = await client.redeem(back.code);
      assert.equal(status, 200, JSON.stringify(body));
      const { body: answer } = await callTool(dev.issuer, body.access_token, 'userInfo');
      assert.equal(answer.result.structuredContent.email, 'ava.mitchell@northwind.example');
      assert.deepEqual(complaints, []);
    });
  }
}

for (const [colorScheme, viewport] of [['light', DESKTOP], ['dark', DESKTOP], ['light', PHONE], ['dark', PHONE]]) {
  test(`a person sees what they allowed, and takes it back: ${colorScheme}, ${viewport.width} wide`, async (t) => {
    const callback = 'https://reports.example.com/callback';
    const web = await startClient(dev.issuer, `Reports for ${colorScheme} ${viewport.width}`, callback);
    t.after(web.stop);
    const terminal = await startClient(dev.issuer, `Terminal for ${colorScheme} ${viewport.width}`);
    t.after(terminal.stop);
    const { page, complaints, picture } = await visitor(t, { colorScheme, viewport, name: 'allowed' });
    await page.route(`${callback}**`, (route) => route.fulfill({ contentType: 'text/html', body: '<title>Reports</title><h1>Back at the client</h1>' }));
    const atClerk = async () => {
      // Whoever is signed in at Clerk is not asked again who they are.
      const allow = page.getByRole('button', { name: /allow/i });
      const person = page.locator('button, label, a').filter({ hasText: 'Ava Mitchell' }).first();
      await allow.or(person).or(page.getByRole('heading', { name: /Back at the client|What you allowed/ })).first().waitFor();
      if (await person.isVisible() && !(await allow.isVisible())) await person.click();
      await allow.or(page.getByRole('heading', { name: /Back at the client|What you allowed/ })).first().waitFor();
      if (await allow.isVisible()) await allow.click();
    };
    const connect = async (client, remember) => {
      await page.goto(client.authorizeUrl());
      assert.equal(await page.getByLabel(/Do not ask me again/).count(), remember ? 1 : 0);
      if (remember) await page.getByLabel(/Do not ask me again/).check();
      await page.getByRole('button', { name: 'Approve' }).click();
      await atClerk();
      await page.getByRole('heading', { name: 'Back at the client' }).waitFor();
    };
    await connect(web, true);
    const { body: tokens } = await web.redeem(new URL(page.url()).searchParams.get('code'));
    await connect(terminal, false);

    await page.goto(dev.issuer);
    await page.getByRole('link', { name: 'What you allowed' }).click();
    await atClerk();
    await page.getByRole('heading', { level: 1, name: 'What you allowed' }).waitFor();
    await fits(page);
    await picture('list');
    assert.match(await page.textContent('main'), /Ava Mitchell/);
    const entry = (name) => page.getByRole('region', { name: `${name} for ${colorScheme} ${viewport.width}` });
    assert.match(await entry('Reports').textContent(), /reports\.example\.com.*tools:read.*and remembered.*Signed in/s);
    assert.doesNotMatch(await entry('Terminal').textContent(), /and remembered/);

    await entry('Reports').getByRole('button', { name: 'Forget', exact: true }).click();
    await page.getByRole('heading', { level: 1, name: 'What you allowed' }).waitFor();
    assert.doesNotMatch(await entry('Reports').textContent(), /and remembered/);
    assert.equal((await callTool(dev.issuer, tokens.access_token, 'userInfo')).status, 200);
    await entry('Reports').getByRole('button', { name: 'Sign it out' }).focus();
    await page.keyboard.press('Enter');
    await entry('Reports').waitFor({ state: 'detached' });
    assert.equal((await callTool(dev.issuer, tokens.access_token, 'userInfo')).status, 401);
    await picture('after');
    // Back, to a page whose form was used, is forth to the page as it is.
    await page.goBack();
    await page.getByRole('heading', { level: 1, name: 'What you allowed' }).waitFor();
    assert.equal(await entry('Reports').count(), 0);
    const every = page.getByRole('region', { name: 'All of them' });
    const last = (await every.count()) > 0 ? every.getByRole('button', { name: 'Sign all out' }) : entry('Terminal').getByRole('button');
    await last.click();
    await page.getByText('No client is signed in as you').waitFor();
    await fits(page);
    await picture('nothing');
    assert.deepEqual(complaints, []);
  });
}

test('a box that is not ticked is a scope that is not granted', async (t) => {
  const client = await startClient(dev.issuer);
  t.after(client.stop);
  const { page } = await visitor(t);
  await page.goto(client.authorizeUrl());
  await page.locator('input[type=checkbox][value="tools:write"]').uncheck();
  await page.getByRole('button', { name: /allow|approve/i }).click();
  await page.locator('button, label, a').filter({ hasText: 'Ava Mitchell' }).first().click();
  await page.getByRole('button', { name: /allow/i }).click();
  await page.getByRole('heading', { name: 'Back at the client' }).waitFor();
  const { body } = await client.redeem(client.returned[0].code);
  assert.equal(body.scope, 'tools:read');
  const refused = await callTool(dev.issuer, body.access_token, 'updateUser', { firstName: 'Eve' });
  assert.equal(refused.status, 403);
});

test('a client that asks for more shows what is new, light and dark', async (t) => {
  for (const colorScheme of ['light', 'dark']) {
    const client = await startClient(dev.issuer);
    t.after(client.stop);
    const { page, complaints, picture } = await visitor(t, { colorScheme, viewport: PHONE, name: 'step-up' });
    await page.goto(client.authorizeUrl('tools:read'));
    assert.equal(await page.getByText('New', { exact: true }).count(), 0);
    await page.getByRole('button', { name: /allow|approve/i }).click();
    await page.locator('button, label, a').filter({ hasText: 'Ava Mitchell' }).first().click();
    await page.getByRole('button', { name: /allow/i }).click();
    await page.getByRole('heading', { name: 'Back at the client' }).waitFor();
    assert.equal((await client.redeem(client.returned[0].code)).status, 200);

    await page.goto(client.authorizeUrl());
    await fits(page);
    await picture('consent');
    assert.match(await page.locator('label').filter({ hasText: 'tools:write' }).textContent(), /New/);
    assert.doesNotMatch(await page.locator('label').filter({ hasText: 'tools:read' }).textContent(), /New/);
    assert.deepEqual(complaints, []);
  }
});

test('the keyboard alone is enough, and Enter does not approve by accident', async (t) => {
  const client = await startClient(dev.issuer);
  t.after(client.stop);
  const { page } = await visitor(t);
  await page.goto(client.authorizeUrl());
  await page.locator('input[type=checkbox]').first().focus();
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Back at the client' }).waitFor();
  assert.equal(client.returned[0].error, 'access_denied');

  await page.goto(client.authorizeUrl());
  const approve = page.getByRole('button', { name: /allow|approve/i });
  for (let presses = 0; presses < 20; presses += 1) {
    if (await approve.evaluate((button) => button === document.activeElement)) break;
    await page.keyboard.press('Tab');
  }
  await page.keyboard.press('Enter');
  await page.getByText('Ava Mitchell').first().waitFor();
});

test('sending the form twice, and going back, change nothing', async (t) => {
  const client = await startClient(dev.issuer);
  t.after(client.stop);
  const { page, context, picture } = await visitor(t, { name: 'twice' });
  await page.goto(client.authorizeUrl());
  const handle = await page.locator('input[name=handle]').inputValue();
  const form = new URLSearchParams([['handle', handle], ['scope', 'tools:read'], ['decision', 'approve']]).toString();
  const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
  const send = () => context.request.post(`${dev.issuer}/authorize/consent`, { data: form, headers, maxRedirects: 0 });
  const [first, second] = [await send(), await send()];
  assert.equal(first.status(), 303);
  assert.equal(second.headers().location, first.headers().location);
  await page.goto(first.headers().location);
  await page.getByText('Ava Mitchell').first().waitFor();
  await page.goBack();
  assert.match(await page.textContent('h1'), /already used/);
  await picture('back');
  await page.goForward();
  await page.getByText('Ava Mitchell').first().waitFor();
});

test('a client that is not known, a link that is used up, a page that is not there', async (t) => {
  for (const colorScheme of ['light', 'dark']) {
    const { page, picture, complaints } = await visitor(t, { colorScheme, viewport: PHONE, name: 'faults' });
    const unknown = await page.goto(`${dev.issuer}/authorize?response_type=code&client_id=nobody&redirect_uri=http://127.0.0.1/`);
    assert.equal(unknown.status(), 400);
    assert.match(await page.textContent('body'), /add it again/);
    await fits(page);
    await picture('unknown-client');
    await page.goto(`${dev.issuer}/callback?state=made-up&code=made-up`);
    await fits(page);
    await picture('callback');
    await page.goto(`${dev.issuer}/authorize/consent?handle=made-up`);
    await picture('link');
    const missing = await page.goto(`${dev.issuer}/no/such/page`);
    assert.equal(missing.status(), 404);
    await picture('not-found');
    assert.deepEqual(complaints.filter((text) => !/status of 4/.test(text)), []);
  }
});

test('the home page tells how to connect, and the MCP address leads there', async (t) => {
  for (const colorScheme of ['light', 'dark']) {
    for (const viewport of [DESKTOP, PHONE]) {
      const { page, picture, complaints } = await visitor(t, { colorScheme, viewport, name: 'home' });
      await page.goto(`${dev.issuer}/mcp`);
      assert.equal(new URL(page.url()).pathname, '/');
      assert.match(await page.textContent('body'), new RegExp(`claude mcp add --transport http \\S+ ${dev.issuer}/mcp`));
      await fits(page);
      await picture('home');
      assert.deepEqual(complaints, []);
    }
  }
});

test('another loopback name is led to the public one before a cookie is set', async (t) => {
  const client = await startClient(dev.issuer);
  t.after(client.stop);
  const { page, context } = await visitor(t);
  await page.goto(client.authorizeUrl().replace('127.0.0.1', 'localhost'));
  assert.equal(new URL(page.url()).host, new URL(dev.issuer).host);
  const cookies = await context.cookies();
  assert.ok(cookies.every((cookie) => cookie.domain === '127.0.0.1' && cookie.httpOnly && cookie.sameSite === 'Lax'));
  assert.deepEqual(cookies.map((cookie) => cookie.name), ['clerk_mcp_browser']);
});
