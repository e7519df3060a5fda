// Where Clerk is the authorization server, in a browser: from the challenge of the MCP endpoint to the pages of the
// emulated Clerk, and back. In light and in dark; with SCREENSHOTS=FOLDER every page is kept as a picture.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startDev } from '../conformance/support/dev.mjs';
import { launch } from './support/chromium.mjs';
import { callTool, discover, startClient } from './support/client.mjs';
import { DESKTOP, fits, PHONE, visitorOf } from './support/visitor.mjs';

const SCOPES = 'openid profile';
let browser;
let dev;

before(async () => {
  assert.ok(process.env.CLERK_MCP_BIN, 'CLERK_MCP_BIN names the binary under test');
  [browser, dev] = await Promise.all([launch(), startDev(process.env.CLERK_MCP_BIN, ['--sign-in', 'clerk-tokens'])]);
});

after(async () => {
  await browser?.close();
  dev?.stop();
});

const visitor = (t, options) => visitorOf(browser, t, options);
const pick = (page, name) => page.locator('button').filter({ hasText: name }).first().click();

/** A client that knows the address of the MCP endpoint alone. */
async function newClient(t) {
  const found = await discover(`${dev.issuer}/mcp`);
  const client = await startClient(found.issuer, 'Browser test', undefined, { ...found, scopes: SCOPES.split(' ') });
  t.after(client.stop);
  return { found, client };
}

for (const colorScheme of ['light', 'dark']) {
  for (const viewport of [DESKTOP, PHONE]) {
    const name = 'a person connects a client at Clerk';
    test(`${name}: ${colorScheme}, ${viewport.width} wide`, async (t) => {
      const { found, client } = await newClient(t);
      assert.equal(found.status, 401);
      assert.equal(found.resource, `${dev.issuer}/mcp`);
      assert.notEqual(found.issuer, dev.issuer);
      assert.equal(found.server.issuer, found.issuer);

      const { page, complaints, picture } = await visitor(t, { colorScheme, viewport, name: 'clerk-tokens' });
      const origins = new Set();
      page.on('request', (request) => origins.add(new URL(request.url()).origin));
      await page.goto(client.authorizeUrl(SCOPES));
      await page.getByText('Noah Tanaka').first().waitFor();
      await fits(page);
      await picture('sign-in');
      await pick(page, 'Noah Tanaka');
      await page.getByRole('heading', { name: 'Browser test wants access' }).waitFor();
      await fits(page);
      await picture('consent');
      await page.getByRole('button', { name: 'Allow' }).click();
      await page.getByRole('heading', { name: 'Back at the client' }).waitFor();
      // This server has no page in it.
      assert.ok(!origins.has(dev.issuer), [...origins].join(' '));
      const [back] = client.returned;
      assert.equal(back.state, 'the-clients-state');
      const { status, body } = await client.redeem(back.code);
      assert.equal(status, 200, JSON.stringify(body));

      const { body: info } = await callTool(dev.issuer, body.access_token, 'userInfo');
      assert.equal(info.result.structuredContent.name, 'Noah Tanaka');
      // In a Clerk session that the server started for him.
      const { body: orders } = await callTool(dev.issuer, body.access_token, 'listOrders', { limit: 2 });
      assert.equal(orders.result.structuredContent.data.length, 2, JSON.stringify(orders));
      assert.deepEqual(complaints, []);

      await page.goto(dev.issuer);
      await page.getByRole('heading', { level: 1 }).waitFor();
      assert.match(await page.textContent('body'), /at Clerk/);
      await fits(page);
      await picture('home');
      assert.deepEqual(complaints, []);
    });
  }
}

test('a person who denies at Clerk sends the client away with that', async (t) => {
  const { client } = await newClient(t);
  const { page } = await visitor(t, { viewport: PHONE });
  await page.goto(client.authorizeUrl(SCOPES));
  await pick(page, 'Priya Raman');
  await page.getByRole('button', { name: 'Deny' }).click();
  await page.getByRole('heading', { name: 'Back at the client' }).waitFor();
  const [back] = client.returned;
  assert.deepEqual([back.error, back.code, back.state], ['access_denied', undefined, 'the-clients-state']);
});

test('a token that was not asked for this server opens nothing', async (t) => {
  const found = await discover(`${dev.issuer}/mcp`);
  const client = await startClient(found.issuer, 'Browser test', undefined, { endpoints: found.endpoints, scopes: SCOPES.split(' ') });
  t.after(client.stop);
  const { page } = await visitor(t, { viewport: PHONE });
  await page.goto(client.authorizeUrl(SCOPES));
  await pick(page, 'Noah Tanaka');
  await page.getByRole('button', { name: 'Allow' }).click();
  await page.getByRole('heading', { name: 'Back at the client' }).waitFor();
  const { body } = await client.redeem(client.returned[0].code);
  assert.ok(body.access_token);
  assert.equal((await callTool(dev.issuer, body.access_token, 'userInfo')).status, 401);
});
