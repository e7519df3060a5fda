// Signing in through an application, in a browser: our consent page, the demonstration's application, the sign-in page
// of the emulated Clerk, and back. In light and in dark; with SCREENSHOTS=FOLDER every page is kept as a picture.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startDev } from '../conformance/support/dev.mjs';
import { launch, launchWithoutCookies } from './support/chromium.mjs';
import { callTool, startClient } from './support/client.mjs';
import { DESKTOP, fits, PHONE, visitorIn, visitorOf } from './support/visitor.mjs';

let browser;
let dev;

before(async () => {
  assert.ok(process.env.CLERK_MCP_BIN, 'CLERK_MCP_BIN names the binary under test');
  [browser, dev] = await Promise.all([launch(), startDev(process.env.CLERK_MCP_BIN, ['--sign-in', 'app'])]);
});

after(async () => {
  await browser?.close();
  dev?.stop();
});

const visitor = (t, options) => visitorOf(browser, t, options);
const pick = (page, name) => page.locator('button').filter({ hasText: name }).first().click();

for (const colorScheme of ['light', 'dark']) {
  for (const viewport of [DESKTOP, PHONE]) {
    test(`a person connects a client through the application: ${colorScheme}, ${viewport.width} wide`, async (t) => {
      const client = await startClient(dev.issuer);
      t.after(client.stop);
      const { page, context, complaints, picture } = await visitor(t, { colorScheme, viewport, name: 'app' });
      // What any site along the way could learn of another's addresses.
      const referrers = [];
      page.on('request', (request) => referrers.push(request.headers().referer ?? ''));
      await page.goto(client.authorizeUrl());
      await page.getByRole('heading', { level: 1 }).waitFor();
      await fits(page);
      await picture('consent');
      await page.getByRole('button', { name: /approve/i }).click();

      await page.getByText('Noah Tanaka').first().waitFor();
      await fits(page);
      await picture('sign-in');
      await pick(page, 'Noah Tanaka');
      await page.getByRole('heading', { name: 'Back at the client' }).waitFor();
      assert.ok(!referrers.some((referrer) => referrer.includes('clerk_token')), String(referrers));
      const [back] = client.returned;
      assert.deepEqual([back.state, back.iss], ['the-clients-state', dev.issuer]);
      const { status, body } = await client.redeem(back.code);
      assert.equal(status, 200, JSON.stringify(body));
      const { body: answer } = await callTool(dev.issuer, body.access_token, 'listOrders', { limit: 2 });
      const orders = answer.result.structuredContent.data;
      assert.equal(orders.length, 2, JSON.stringify(answer));

      // The same orders, where the person is signed in now.
      await page.goto(dev.app);
      await page.getByRole('heading', { name: 'Orders of Noah Tanaka' }).waitFor();
      assert.equal(page.url(), `${dev.app}/`);
      assert.ok((await page.textContent('table')).includes(orders[0].id));
      await fits(page);
      await picture('orders');
      // Whoever is signed in there only approves.
      const again = await startClient(dev.issuer);
      t.after(again.stop);
      await page.goto(again.authorizeUrl());
      await page.getByRole('button', { name: /approve/i }).click();
      await page.getByRole('heading', { name: 'Back at the client' }).waitFor();
      assert.ok(again.returned[0].code);
      const kept = await context.cookies();
      assert.ok(kept.every((cookie) => cookie.sameSite === 'Lax'), JSON.stringify(kept));
      assert.deepEqual(complaints, []);
    });
  }
}

test('the application shows who is signed in, and nobody else', async (t) => {
  for (const colorScheme of ['light', 'dark']) {
    const { page, picture, complaints } = await visitor(t, { colorScheme, viewport: PHONE, name: 'shop' });
    await page.goto(dev.app);
    await page.getByRole('heading', { name: 'Nobody is signed in' }).waitFor();
    await fits(page);
    await picture('signed-out');
    await page.getByRole('link', { name: 'Sign in' }).click();
    await pick(page, 'Ava Mitchell');
    await page.getByRole('heading', { name: 'Orders of Ava Mitchell' }).waitFor();
    assert.equal(page.url(), `${dev.app}/`);
    await fits(page);
    await picture('orders');
    await page.getByRole('link', { name: 'Use another account' }).click();
    await pick(page, 'Priya Raman');
    await page.getByRole('heading', { name: 'Orders of Priya Raman' }).waitFor();
    assert.deepEqual(complaints, []);
  }
});

test('an address that asks for the session of somebody else is refused', async (t) => {
  const { page, picture } = await visitor(t, { viewport: PHONE, name: 'refused' });
  const query = new URLSearchParams({ state: 's', callback_url: 'https://evil.example/callback' });
  const answer = await page.goto(`${dev.app}/auth/mcp?${query}`);
  assert.equal(answer.status(), 400);
  await page.getByRole('heading', { name: 'This is no sign-in of our MCP server' }).waitFor();
  await fits(page);
  await picture('other-callback');
});

test('a browser without cookies is told so, in place of being sent around', async (t) => {
  const context = await launchWithoutCookies(t, { viewport: PHONE });
  const { page, picture } = await visitorIn(context, { viewport: PHONE, name: 'cookies' });
  const answer = await page.goto(dev.app);
  assert.equal(answer.status(), 400);
  await page.getByRole('heading', { name: 'Your browser keeps no cookies for this site' }).waitFor();
  assert.deepEqual(await context.cookies(), []);
  await picture('none');
});
