// The official TypeScript clients against a server that takes Clerk's tokens: from its address alone they find Clerk,
// which registers them, signs the person in and issues the tokens.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { connect, CLIENTS } from './support/remote-clients.mjs';
import { folder, startDev } from './support/remote.mjs';
import { AVA, NOAH, NORTHWIND } from './support/seed.mjs';
import { call } from './support/tool-calls.mjs';

const DAY = 24 * 60 * 60 * 1000;
const CONFIG = `
[sign_in]
mode = "clerk-tokens"
audience = "resource"
organizations = true

[demo]
tools = true

# Here a day passes in the middle of a session.
[limits]
session_idle = "7d"

[[access]]
everyone = true
tools = ["userInfo", "add", "users", "organizations"]

[[access]]
role = "admin"
tools = ["generateImage"]
`;

function start(t) {
  const config = join(folder(t), 'clerk-mcp.toml');
  writeFileSync(config, CONFIG);
  return startDev(t, ['--config', config]);
}

const names = async (client) => (await client.listTools()).tools.map(({ name }) => name);

for (const each of CLIENTS) {
  describe(each.name, () => {
    test('finds Clerk, registers and signs in there', async (t) => {
      const dev = await startDev(t, ['--sign-in', 'clerk-tokens']);
      const { app, wire, client } = await connect(t, each, dev.mcp, { user: AVA });
      assert.deepEqual(wire.lines().slice(0, 5), [
        'POST /mcp 401',
        'GET /.well-known/oauth-protected-resource/mcp 200',
        'GET /.well-known/oauth-authorization-server 200',
        'POST /oauth/register 201',
        'POST /oauth/token 200',
      ]);
      const opened = app.opened[0];
      assert.deepEqual([opened.origin, opened.searchParams.get('resource')], [dev.clerkUrl, dev.mcp.href]);
      const info = await call(client, 'userInfo');
      assert.deepEqual([info.user_id, info.client_id], [AVA, app.clientInformation().client_id]);
      assert.ok((await names(client)).includes('generateImage'));
      assert.equal((await call(client, 'getUser', { userId: AVA })).id, AVA);
    });

    test('works in the organization that the person picked at Clerk', async (t) => {
      const dev = await start(t);
      const { client } = await connect(t, each, dev.mcp, { user: NOAH, organization: NORTHWIND });
      const info = await call(client, 'userInfo');
      assert.deepEqual([info.organization_id, info.organization_role], [NORTHWIND, 'org:member']);
      assert.equal((await call(client, 'getOrganization')).id, NORTHWIND);
      assert.ok(!(await names(client)).includes('generateImage'));
    });

    test('refreshes at Clerk when the day is over', async (t) => {
      const dev = await start(t);
      const { app, wire, client } = await connect(t, each, dev.mcp, { user: NOAH });
      const before = app.tokens().access_token;
      await dev.control('POST', 'clock', { advance_ms: DAY + 60_000 });
      assert.deepEqual((await client.callTool({ name: 'add', arguments: { a: 1, b: 2 } })).structuredContent, { sum: 3 });
      assert.notEqual(app.tokens().access_token, before);
      // At the sign-in and now; SDK 1 may refresh for its stream as well, which ended with the token.
      const redeemed = wire.lines().filter((line) => line.startsWith('POST /oauth/token'));
      assert.ok([2, 3].includes(redeemed.length) && redeemed.every((line) => line.endsWith(' 200')), wire.lines().join(', '));
    });
  });
}
