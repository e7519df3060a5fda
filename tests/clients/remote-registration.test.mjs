// How the server gets to know a client: by registration, by the client's metadata document, or from its owner. Against
// `clerk-mcp serve` as a separate process beside an emulator, with a configuration as one would write it.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { run } from './support/binary.mjs';
import { Browser } from './support/browser.mjs';
import { startMetadataHost } from './support/metadata-host.mjs';
import { Application } from './support/oauth-provider.mjs';
import { CLIENTS, connect } from './support/remote-clients.mjs';
import { startServe } from './support/remote.mjs';
import { AVA, NOAH } from './support/seed.mjs';
import { call } from './support/tool-calls.mjs';

const REDIRECT = new Application().redirectUrl;
const SECRET = randomBytes(24).toString('base64url');
const CONFIG = `
name = "Registration tests"

[[oauth.clients]]
client_id = "known-public"
name = "Known client"
redirect_uris = ["${REDIRECT}"]

[[oauth.clients]]
client_id = "known-confidential"
name = "Known client with a secret"
redirect_uris = ["${REDIRECT}"]

[[access]]
everyone = true
tools = ["userInfo", "users"]

[[access]]
role = "admin"
tools = ["users"]
clerk = "instance"
`;

async function start(t) {
  const host = await startMetadataHost(t, REDIRECT);
  const serve = await startServe(t, CONFIG + host.config, { CLERK_MCP_CLIENT_SECRET_KNOWN_CONFIDENTIAL: SECRET });
  const identities = [
    ['registers itself', undefined, (id) => assert.match(id, /^[\w-]{16,}$/), true, /registered itself/],
    ['has a metadata document', { metadataUrl: host.url }, (id) => assert.equal(id, host.url), false, /published by.*client\.example/],
    ['was configured', { client: { client_id: 'known-public' } }, (id) => assert.equal(id, 'known-public'), false, /owner of this server/],
    ['was configured with a secret', { client: { client_id: 'known-confidential', client_secret: SECRET } }, (id) => assert.equal(id, 'known-confidential'), false, /owner of this server/],
  ];
  return { host, serve, identities };
}

for (const each of CLIENTS) {
  test(`${each.name}: is known in each of the ways`, async (t) => {
    const { host, serve, identities } = await start(t);
    for (const [way, identity, checkId, registers, shown] of identities) {
      const { app, wire, client } = await connect(t, each, serve.mcp, { user: AVA }, { identity });
      const info = await call(client, 'userInfo');
      assert.equal(info.user_id, AVA, way);
      checkId(info.client_id);
      assert.equal((await call(client, 'getUser', { userId: NOAH })).first_name, 'Noah');
      assert.equal(wire.exchanges.some(({ path }) => path === '/register'), registers, way);
      assert.equal(wire.last('/token').status, 200);
      // The consent page tells the ways apart.
      const browser = new Browser();
      const page = await browser.send((await browser.send(app.opened[0])).location);
      assert.match(page.text.replace(/<[^>]*>/g, ''), shown, way);
      // And each can refresh.
      const refreshed = await kindRefresh(each, app, serve.mcp, wire);
      assert.equal(refreshed, 'AUTHORIZED', way);
      assert.equal((await call(client, 'userInfo')).user_id, AVA);
    }
    assert.deepEqual([...new Set(host.fetched)], ['client.example/mcp/client.json']);
    assert.equal(host.fetched.length, 1, 'the document is kept');
    assert.equal(serve.output().includes(SECRET), false);
  });
}

const kindRefresh = (each, app, url, wire) => each.kind.auth(app, { serverUrl: url, fetchFn: wire.fetch });

describe('a configuration with test hosts', () => {
  test('is checked, and works on loopback alone', async (t) => {
    const { serve } = await start(t);
    const check = await run(['serve', '--check', '--config', serve.config, '--bind', '127.0.0.1:0', '--public-url', serve.url], { env: serve.settings });
    assert.equal(check.code, 0, check.stderr);
    assert.equal(`${check.stdout}${check.stderr}`.includes(SECRET), false);
    const open = await run(['serve', '--check', '--config', serve.config, '--public-url', 'https://mcp.example.com'], { env: serve.settings });
    assert.notEqual(open.code, 0);
    assert.match(open.stderr, /cimd\.test/);
  });

  test('does not help a client whose secret is wrong', async (t) => {
    const { serve } = await start(t);
    const [each] = CLIENTS;
    const identity = { client: { client_id: 'known-confidential', client_secret: 'not-the-secret-of-this-client' } };
    await assert.rejects(connect(t, each, serve.mcp, { user: AVA }, { identity }), /invalid_client|client information is required/i);
  });
});
