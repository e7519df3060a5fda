// The official TypeScript clients against `clerk-mcp dev`: signed in at Clerk, or through the demonstration's
// application, they shop there as the person.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { connect, CLIENTS, wantsSignIn } from './support/remote-clients.mjs';
import { startDev } from './support/remote.mjs';
import { AVA, NOAH } from './support/seed.mjs';
import { call, refusal } from './support/tool-calls.mjs';

const WRITE = 'tools:read tools:write';
const MODES = [
  ['signs in at Clerk, and shops as the person', []],
  ['signs in through the application, and shops as the person', ['--sign-in', 'app']],
];
const SHOP = ['createOrder', 'getAvatar', 'getOrder', 'getProfile', 'listOrders'];

for (const each of CLIENTS) {
  describe(each.name, () => {
    for (const [name, args] of MODES) {
      test(name, async (t) => {
        const dev = await startDev(t, args);
        const { app, client } = await connect(t, each, dev.mcp, { user: AVA }, { scope: WRITE });
        assert.equal(app.tokens().scope, WRITE);
        const tools = (await client.listTools()).tools.map(({ name }) => name);
        assert.deepEqual(SHOP.filter((name) => !tools.includes(name)), []);

        assert.equal((await call(client, 'getProfile')).name, 'Ava Mitchell');
        const order = { product: 'field-notebook', quantity: 4 };
        const placed = await call(client, 'createOrder', { body: order });
        assert.deepEqual([placed.placed_by, placed.total], [AVA, { cents: 3800, currency: 'EUR' }]);
        assert.deepEqual((await call(client, 'listOrders', { status: 'open', limit: 1 })).data, [placed]);
        const { content } = await client.callTool({ name: 'getAvatar', arguments: {} });
        assert.deepEqual([content[0].type, content[0].mimeType], ['image', 'image/png']);

        const other = await connect(t, each, dev.mcp, { user: NOAH });
        assert.equal((await call(other.client, 'getProfile')).name, 'Noah Tanaka');
        assert.match(JSON.stringify(await refusal(other.client, 'getOrder', { id: placed.id })), /not_found/);
      });
    }

    test('stays signed in as long as the session in the application lives', async (t) => {
      const dev = await startDev(t, ['--sign-in', 'app']);
      const connection = await connect(t, each, dev.mcp, { user: AVA });
      await dev.expireAccessTokens();
      assert.equal((await call(connection.client, 'getProfile')).user_id, AVA);
      const { data: sessions } = await dev.clerk.sessions.getSessionList({ userId: AVA, status: 'active' });
      for (const { id } of sessions) await dev.clerk.sessions.revokeSession(id);
      await dev.expireAccessTokens();
      await wantsSignIn(each, connection.client.callTool({ name: 'getProfile', arguments: {} }));
    });
  });
}
