// The official TypeScript SDK over HTTP+SSE, the transport of 2024-11-05, from the URL alone: it finds the way, signs
// in, calls, is asked, refreshes and is revoked as over Streamable HTTP.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect, SSE_CLIENT, wantsSignIn } from './support/remote-clients.mjs';
import { until } from '../support/until.mjs';
import { startDev } from './support/remote.mjs';
import { AVA, LUMEN, NOAH } from './support/seed.mjs';
import { call, refusal } from './support/tool-calls.mjs';

const add = async (client, a, b) => (await client.callTool({ name: 'add', arguments: { a, b } })).structuredContent;

const open = async (t, user, options) => {
  const dev = await startDev(t);
  const connection = await connect(t, SSE_CLIENT, new URL(`${dev.url}/sse`), { user }, options);
  return { dev, ...connection };
};

test('finds the way by itself, signs in, lists and calls', async (t) => {
  const { wire, client, app } = await open(t, AVA);
  assert.deepEqual(wire.lines().slice(0, 3), [
    'GET /sse 401',
    'GET /.well-known/oauth-protected-resource/sse 200',
    'GET /.well-known/oauth-authorization-server 200',
  ]);
  assert.equal(app.tokens().scope, 'tools:read');
  assert.equal(client.getServerVersion().name, 'clerk-mcp');
  const names = (await client.listTools()).tools.map(({ name }) => name);
  assert.ok(['add', 'userInfo', 'getUserList'].every((name) => names.includes(name)), String(names));
  assert.deepEqual(await add(client, 1, 2), { sum: 3 });
  const image = await client.callTool({ name: 'generateImage', arguments: { prompt: 'a lighthouse' } });
  assert.equal(image.content[0].mimeType, 'image/png');
  assert.ok(Array.isArray((await client.listResources()).resources));
  await client.ping();
});

test('gives each person what is theirs', async (t) => {
  const { client } = await open(t, NOAH);
  assert.equal((await call(client, 'userInfo')).user_id, NOAH);
  const names = (await client.listTools()).tools.map(({ name }) => name);
  assert.ok(!names.includes('getUserList') && !names.includes('generateImage'), String(names));
});

test('calls many at once, and each gets its own answer', async (t) => {
  const { client } = await open(t, AVA);
  const sums = await Promise.all(Array.from({ length: 20 }, (_, a) => add(client, a, 100)));
  assert.deepEqual(sums, Array.from({ length: 20 }, (_, a) => ({ sum: a + 100 })));
});

test('refreshes on the way, and goes on in the same stream', async (t) => {
  const { dev, wire, client } = await open(t, AVA);
  await dev.expireAccessTokens();
  assert.deepEqual(await add(client, 1, 2), { sum: 3 });
  assert.equal(wire.lines().filter((line) => line.startsWith('GET /sse 200')).length, 1);
});

test('asks the person before something is deleted', async (t) => {
  const questions = [];
  const onQuestion = (params) => {
    questions.push(params.message);
    return { action: 'decline' };
  };
  const { client } = await open(t, AVA, { onQuestion, scope: 'tools:read tools:write' });
  const refused = await refusal(client, 'deleteOrganization', { organizationId: LUMEN });
  assert.equal(refused.code, 'declined');
  assert.equal(questions.length, 1);
  assert.match(questions[0], new RegExp(LUMEN));
});

test('is revoked: its stream ends and its tokens are worth nothing', async (t) => {
  const { dev, app, wire, client } = await open(t, AVA);
  const body = new URLSearchParams({ token: app.tokens().refresh_token, client_id: app.clientInformation().client_id });
  assert.equal((await fetch(`${dev.url}/revoke`, { method: 'POST', body })).status, 200);
  await until('the stream is opened again, in vain', () => wire.last('/sse', 'GET')?.status === 401);
  await wantsSignIn(SSE_CLIENT, client.ping());
});
