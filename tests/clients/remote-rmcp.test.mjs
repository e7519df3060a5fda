// rmcp's own client, with its OAuth state machine, against `clerk-mcp dev`. It is a program of its own, in
// `rmcp-client/`: `RMCP_CLIENT_BIN` names it built, else it is looked for where cargo puts it.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { startMetadataHost } from './support/metadata-host.mjs';
import { signIn } from './support/person.mjs';
import { folder, startDev } from './support/remote.mjs';
import { AVA, LUMEN, NOAH } from './support/seed.mjs';

const PROGRAM = process.env.RMCP_CLIENT_BIN ?? join(import.meta.dirname, 'rmcp-client/target/debug/rmcp-client');
const SKIP = existsSync(PROGRAM) ? false : 'rmcp-client is not built: cargo build --manifest-path rmcp-client/Cargo.toml';
const REDIRECT = 'http://127.0.0.1:33419/callback';

/** Connects; gives what sends a wish and reads its answer. */
async function connect(t, dev, { user, lifecycle = 'sessions', identity = ['register'] }) {
  const child = spawn(PROGRAM, [dev.mcp.href, REDIRECT, lifecycle, ...identity], { stdio: ['pipe', 'pipe', 'pipe'] });
  t.after(() => child.kill());
  let stderr = '';
  child.stderr.on('data', (chunk) => (stderr += chunk));
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const read = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`rmcp-client has ended: ${stderr}`);
    return JSON.parse(value);
  };
  const { open } = await read();
  child.stdin.write(`${await signIn(open, { user })}\n`);
  assert.equal((await read()).connected, true);
  const wish = async (what) => {
    child.stdin.write(`${JSON.stringify(what)}\n`);
    return read();
  };
  const call = async (tool, args = {}) => {
    const { result, error } = await wish({ tool, arguments: args });
    if (error) throw new Error(error);
    return result;
  };
  return { opened: new URL(open), wish, call };
}

for (const lifecycle of ['sessions', 'stateless']) {
  test(`${lifecycle}: signs in, lists and calls what the person may, refreshes`, { skip: SKIP }, async (t) => {
    const dev = await startDev(t);
    const { opened, wish, call } = await connect(t, dev, { user: AVA, lifecycle });
    assert.equal(opened.searchParams.get('scope'), 'tools:read');
    const { result: names } = await wish({ tools: true });
    assert.ok(['userInfo', 'add', 'generateImage', 'getUserList'].every((name) => names.includes(name)), String(names));
    assert.equal((await call('userInfo')).structuredContent.user_id, AVA);
    assert.equal((await call('add', { a: 20, b: 22 })).structuredContent.sum, 42);
    const [image] = (await call('generateImage', { prompt: 'a clerk' })).content;
    assert.deepEqual([image.type, image.mimeType], ['image', 'image/png']);
    assert.equal((await call('getUser', { userId: NOAH })).structuredContent.first_name, 'Noah');
    await assert.rejects(call('deleteOrganization', { organizationId: LUMEN }), /scope/i);

    await dev.expireAccessTokens();
    assert.deepEqual(await wish({ refresh: true }), { result: true });
    assert.equal((await call('add', { a: 1, b: 1 })).structuredContent.sum, 2);

    const other = await connect(t, dev, { user: NOAH, lifecycle });
    assert.ok(!(await other.wish({ tools: true })).result.includes('generateImage'));
    await dev.clerk.users.banUser(NOAH);
    assert.match((await other.wish({ refresh: true })).error, /invalid_grant|rejected/i);
    await assert.rejects(other.call('add', { a: 1, b: 1 }));
    assert.equal((await call('add', { a: 1, b: 1 })).structuredContent.sum, 2);
  });
}

test('is known by its metadata document, and as configured', { skip: SKIP }, async (t) => {
  const host = await startMetadataHost(t, REDIRECT);
  const config = join(folder(t), 'clerk-mcp.toml');
  writeFileSync(config, `[[oauth.clients]]\nclient_id = "rmcp"\nname = "rmcp"\nredirect_uris = ["${REDIRECT}"]\n\n${host.config}`);
  const dev = await startDev(t, ['--config', config]);
  for (const [way, id] of [['document', host.url], ['known', 'rmcp']]) {
    const { call } = await connect(t, dev, { user: NOAH, identity: [way, id] });
    const { user_id, client_id } = (await call('userInfo')).structuredContent;
    assert.deepEqual([user_id, client_id], [NOAH, id]);
  }
});
