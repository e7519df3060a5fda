// rmcp's own client, with its OAuth state machine, against `clerk-mcp dev`. It is a program of its own, in
// `rmcp-client/`: `RMCP_CLIENT_BIN` names it built, else it is looked for where cargo puts it.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { environment } from './support/binary.mjs';
import { startMetadataHost } from './support/metadata-host.mjs';
import { signIn } from './support/person.mjs';
import { startProxy } from './support/proxy.mjs';
import { until } from '../support/until.mjs';
import { folder, startDev } from './support/remote.mjs';
import { AVA, LUMEN, NOAH } from './support/seed.mjs';

const PROGRAM = process.env.RMCP_CLIENT_BIN ?? join(import.meta.dirname, 'rmcp-client/target/debug/rmcp-client');
const SKIP = existsSync(PROGRAM) ? false : 'rmcp-client is not built: cargo build --manifest-path rmcp-client/Cargo.toml';
const REDIRECT = 'http://127.0.0.1:33419/callback';

/** Connects; gives what sends a wish and reads its answer. */
async function connect(t, dev, { user, lifecycle = 'sessions', identity = ['register'], env = {} }) {
  const child = spawn(PROGRAM, [dev.mcp.href, REDIRECT, lifecycle, ...identity], { stdio: ['pipe', 'pipe', 'pipe'], env: environment(env) });
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

/** The status that a bearer of this token gets. */
const statusWith = async (dev, token) => (await fetch(dev.mcp, { method: 'POST', headers: { authorization: `Bearer ${token}` } })).status;

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

  test(`${lifecycle}: goes on when the answer to a refresh is lost`, { skip: SKIP }, async (t) => {
    const dev = await startDev(t);
    const proxy = await startProxy(t);
    const { wish, call } = await connect(t, dev, { user: NOAH, lifecycle, env: proxy.env });
    const add = async () => assert.equal((await call('add', { a: 1, b: 1 })).structuredContent.sum, 2);
    const kept = async () => (await wish({ kept: true })).result;
    await add();
    const way = proxy.exchanges.filter(({ path }) => path !== '/mcp').map(({ path, status }) => `${path} ${status}`);
    assert.deepEqual(way, ['/.well-known/oauth-protected-resource/mcp 200', '/.well-known/oauth-authorization-server 200', '/register 201', '/token 200']);
    const first = await kept();

    // Its own way: the server no longer takes the token, so it refreshes in the midst of the call.
    await dev.expireAccessTokens();
    proxy.loseRefreshes();
    await assert.rejects(add(), /refresh/i);
    assert.deepEqual(await kept(), first, 'it knows of no other tokens');
    await add();
    const [lost, repeated] = proxy.refreshes();
    assert.deepEqual([lost.isLost, lost.status, repeated.status], [true, 200, 200]);
    assert.equal(lost.form.refresh_token, first.tokens.refresh_token);
    assert.equal(repeated.form.refresh_token, lost.form.refresh_token);
    assert.equal(repeated.answer.refresh_token, lost.answer.refresh_token);
    assert.notEqual(repeated.answer.access_token, lost.answer.access_token);

    // And as an application asks for it, two answers lost in a row.
    const second = await kept();
    assert.equal(second.tokens.refresh_token, repeated.answer.refresh_token);
    proxy.loseRefreshes(2);
    assert.match((await wish({ refresh: true })).error, /refresh/i);
    assert.match((await wish({ refresh: true })).error, /refresh/i);
    assert.deepEqual(await wish({ refresh: true }), { result: true });
    await add();
    await dev.expireAccessTokens();
    await add();
    assert.deepEqual(proxy.refreshes().map(({ status }) => status), [200, 200, 200, 200, 200, 200]);
    assert.equal(proxy.exchanges.filter(({ form }) => form?.grant_type === 'authorization_code').length, 1, 'one sign-in');
  });

  test(`${lifecycle}: is revoked`, { skip: SKIP }, async (t) => {
    const dev = await startDev(t);
    const proxy = await startProxy(t);
    const { wish, call } = await connect(t, dev, { user: NOAH, lifecycle, env: proxy.env });
    const other = await connect(t, dev, { user: NOAH, lifecycle });
    await call('add', { a: 1, b: 1 });
    const stream = () => proxy.exchanges.findLast(({ method, path }) => method === 'GET' && path === '/mcp');
    if (lifecycle === 'sessions') await until('the stream is open', () => stream()?.status === 200);
    const opened = stream();

    const { client_id, tokens } = (await wish({ kept: true })).result;
    const revoke = (token) => fetch(`${dev.url}/revoke`, { method: 'POST', body: new URLSearchParams({ token, client_id }) });
    assert.equal((await revoke(tokens.refresh_token)).status, 200);
    if (lifecycle === 'sessions') await until('the stream has ended', () => opened.isOver);
    assert.equal(await statusWith(dev, tokens.access_token), 401);
    await assert.rejects(call('add', { a: 1, b: 1 }), /auth/i);
    const refused = proxy.refreshes().at(-1);
    assert.deepEqual([refused.status, refused.answer.error], [400, 'invalid_grant']);
    assert.match((await wish({ refresh: true })).error, /invalid_grant|rejected/i);
    assert.equal((await other.call('add', { a: 1, b: 1 })).structuredContent.sum, 2);
  });
}

test('is known by its metadata document, and as configured', { skip: SKIP }, async (t) => {
  const host = await startMetadataHost(t, REDIRECT);
  const config = join(folder(t), 'clerk-mcp.toml');
  writeFileSync(config, `[[oauth.clients]]\nclient_id = "rmcp"\nname = "rmcp"\nredirect_uris = ["${REDIRECT}"]\n\n${host.config}`);
  const dev = await startDev(t, ['--config', config]);
  for (const [way, id] of [['document', host.url], ['known', 'rmcp']]) {
    const { wish, call } = await connect(t, dev, { user: NOAH, identity: [way, id] });
    const { user_id, client_id } = (await call('userInfo')).structuredContent;
    assert.deepEqual([user_id, client_id], [NOAH, id]);
    assert.deepEqual(await wish({ refresh: true }), { result: true });
    assert.equal((await call('userInfo')).structuredContent.client_id, id);
  }
});

for (const mode of ['app', 'clerk-tokens']) {
  test(`--sign-in ${mode}: signs in, and shops as the person`, { skip: SKIP }, async (t) => {
    const dev = await startDev(t, ['--sign-in', mode]);
    const { call } = await connect(t, dev, { user: NOAH });
    assert.equal((await call('userInfo')).structuredContent.user_id, NOAH);
    assert.equal((await call('getProfile')).structuredContent.user_id, NOAH);
  });
}
