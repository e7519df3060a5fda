// JSON-RPC lines over standard input and output, without an SDK in between: every protocol version,
// and everything that a broken or hasty client can send.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../support/until.mjs';
import { META_2026, startLines } from './support/lines.mjs';
import { answerJson, startRecordingServer } from './support/recording-server.mjs';
import { AVA, LUMEN } from './support/seed.mjs';

const INITIALIZED_VERSIONS = ['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25'];
const getUser = { name: 'getUser', arguments: { userId: AVA } };
const inline = (params = {}) => ({ ...params, _meta: META_2026 });

/** A server whose Clerk answers after a while. */
async function startSlow(t, delayMs) {
  const api = await startRecordingServer(t, (_, response) => {
    setTimeout(() => answerJson(response, 200, { object: 'user', id: 'user_a' }), delayMs).unref();
  });
  const lines = startLines(t, ['--api-url', api.url], { env: { CLERK_SECRET_KEY: 'sk_test_slow' } });
  await lines.initialize('2025-11-25');
  return { lines, api };
}

for (const version of INITIALIZED_VERSIONS) {
  test(`${version}: initialize, list, call`, async (t) => {
    const lines = startLines(t, ['--emulate']);
    const initialized = await lines.initialize(version);
    assert.equal(initialized.protocolVersion, version);
    assert.equal(initialized.serverInfo.name, 'clerk-mcp');
    const { result: listed } = await lines.request('tools/list');
    assert.equal(listed.tools.length, 27);
    const { result: called } = await lines.request('tools/call', getUser);
    assert.equal(JSON.parse(called.content[0].text).id, AVA);
    assert.deepEqual((await lines.request('ping')).result, {});
    lines.closeInput();
    assert.deepEqual(await lines.ended, { code: 0, signal: null });
    assert.deepEqual(lines.garbage, []);
  });
}

test('2026-07-28: discover, list and call without initialize', async (t) => {
  const lines = startLines(t, ['--emulate']);
  const { result: discovered } = await lines.request('server/discover', inline());
  assert.ok(discovered.supportedVersions.includes('2026-07-28'), JSON.stringify(discovered));
  const { result: listed } = await lines.request('tools/list', inline());
  assert.equal(listed.tools.length, 27);
  assert.equal(typeof listed.ttlMs, 'number');
  const { result: called } = await lines.request('tools/call', inline(getUser));
  assert.equal(called.structuredContent.id, AVA);
  assert.equal(called.resultType, 'complete');
  lines.closeInput();
  assert.deepEqual(await lines.ended, { code: 0, signal: null });
});

test('2026-07-28: there is no handshake, and an unknown resource is named', async (t) => {
  const lines = startLines(t, ['--emulate']);
  const { error: handshake } = await lines.request('initialize', inline());
  assert.equal(handshake.code, -32601, JSON.stringify(handshake));
  const { error: unknown } = await lines.request('resources/read', inline({ uri: 'clerk://nothing' }));
  assert.equal(unknown.code, -32602, JSON.stringify(unknown));
  assert.equal(unknown.data.uri, 'clerk://nothing');
});

test('2026-07-28: the first line may be a call', async (t) => {
  const lines = startLines(t, ['--emulate']);
  const { result } = await lines.request('tools/call', inline(getUser));
  assert.equal(result.structuredContent.id, AVA);
});

test('an unknown version is answered with one that is spoken', async (t) => {
  const lines = startLines(t, ['--emulate']);
  assert.ok(INITIALIZED_VERSIONS.includes((await lines.initialize('1999-01-01')).protocolVersion));
  const modern = startLines(t, ['--emulate']);
  const future = { ...META_2026, 'io.modelcontextprotocol/protocolVersion': '2099-01-01' };
  const { error } = await modern.request('tools/list', { _meta: future });
  assert.equal(error.code, -32022, JSON.stringify(error));
  assert.ok(error.data.supported.includes('2026-07-28'), JSON.stringify(error));
});

test('a call before initialize is refused, and initialize still works', async (t) => {
  const lines = startLines(t, ['--emulate']);
  const early = await lines.request('tools/call', getUser);
  assert.ok(early.error, JSON.stringify(early));
  assert.equal((await lines.initialize('2025-06-18')).protocolVersion, '2025-06-18');
  assert.ok((await lines.request('tools/call', getUser)).result);
});

test('malformed JSON is answered with a parse error, and the connection survives', async (t) => {
  const lines = startLines(t, ['--emulate']);
  await lines.initialize('2025-11-25');
  for (const text of ['{', 'hello', '{"jsonrpc":"2.0","id":5,"method":"ping"', '\u0000', '[1,']) {
    const refused = lines.next((message) => message.error && message.id == null);
    lines.send(text);
    assert.equal((await refused).error.code, -32700, text);
  }
  assert.ok((await lines.request('tools/call', getUser)).result);
});

test('JSON that is no request is answered as such, and the connection survives', async (t) => {
  const lines = startLines(t, ['--emulate']);
  await lines.initialize('2025-11-25');
  for (const text of ['[]', '42', '"x"', '{}', '{"jsonrpc":"1.0","id":1,"method":"ping"}', '{"jsonrpc":"2.0"}']) {
    const refused = lines.next((message) => message.error);
    lines.send(text);
    assert.equal((await refused).error.code, -32600, text);
  }
  assert.ok((await lines.request('tools/call', getUser)).result);
});

test('wrong types get an error with the id of the request', async (t) => {
  const lines = startLines(t, ['--emulate']);
  await lines.initialize('2025-11-25');
  for (const [method, params] of [
    ['tools/call', { name: 7 }],
    ['tools/call', { name: 'getUser', arguments: [1] }],
    ['tools/call', { name: 'getUser', arguments: 'x' }],
    ['tools/call', {}],
    ['tools/call', undefined],
    ['prompts/get', { name: 'user_audit', arguments: { user: 1 } }],
    ['resources/read', { uri: 5 }],
    ['completion/complete', { ref: { type: 'ref/nothing' }, argument: {} }],
  ]) {
    const id = `${method} ${JSON.stringify(params)}`;
    const { error } = await lines.request(method, params, { id });
    assert.equal(error?.code, -32602, `${id}: ${JSON.stringify(error)}`);
  }
  const { error } = await lines.request('no/such/method', {});
  assert.equal(error.code, -32601);
  assert.ok((await lines.request('tools/call', getUser)).result);
});

test('blank lines and carriage returns are no messages', async (t) => {
  const lines = startLines(t, ['--emulate']);
  await lines.initialize('2025-11-25');
  lines.write('\n\r\n   \n');
  const answer = lines.answer(77);
  lines.write('{"jsonrpc":"2.0","id":77,"method":"ping"}\r\n');
  assert.deepEqual((await answer).result, {});
});

test('a message that comes in pieces is one message', async (t) => {
  const lines = startLines(t, ['--emulate']);
  await lines.initialize('2025-11-25');
  const answer = lines.answer('päckchen');
  const bytes = Buffer.from(
    `${JSON.stringify({ jsonrpc: '2.0', id: 'päckchen', method: 'tools/call', params: getUser })}\n`,
  );
  for (let at = 0; at < bytes.length; at += 7) {
    lines.write(bytes.subarray(at, at + 7));
    await new Promise((done) => setImmediate(done));
  }
  assert.ok((await answer).result);
});

test('an oversized line is answered and dropped', async (t) => {
  const lines = startLines(t, ['--emulate']);
  await lines.initialize('2025-11-25');
  const long = { name: 'getUserList', arguments: { query: 'x'.repeat(5 * 1024 * 1024) } };
  const refused = lines.next((message) => message.error);
  lines.send({ jsonrpc: '2.0', id: 'long', method: 'tools/call', params: long });
  const { error } = await refused;
  assert.match(error.message, /long|large|size|4 MiB|bytes/i);
  assert.ok((await lines.request('tools/call', getUser)).result);
});

test('a line just below the limit is read', async (t) => {
  const lines = startLines(t, ['--emulate']);
  await lines.initialize('2025-11-25');
  const metadata = { text: 'x'.repeat(4 * 1024 * 1024 - 300) };
  const { result } = await lines.request('tools/call', {
    name: 'updateUserPublicMetadata',
    arguments: { userId: AVA, metadata },
  });
  assert.equal(result.isError, true, 'Clerk takes far less metadata');
});

for (const [name, text] of [
  ['nested 200 deep', `${'['.repeat(200)}${']'.repeat(200)}`],
  ['nested 100,000 deep', `${'['.repeat(100_000)}${']'.repeat(100_000)}`],
  ['with half of a surrogate pair, as JSON.stringify writes a cut emoji', '"\\ud83d"'],
]) {
  test(`a value ${name} is refused, not met with silence`, async (t) => {
    const lines = startLines(t, ['--emulate']);
    await lines.initialize('2025-11-25');
    const answer = lines.next((message) => message.error || message.result);
    const params = `{"name":"updateUserPublicMetadata","arguments":{"userId":"${AVA}","metadata":{"a":${text}}}}`;
    lines.send(`{"jsonrpc":"2.0","id":"odd","method":"tools/call","params":${params}}`);
    const { error, result } = await answer;
    assert.ok(error || result.isError);
    assert.ok((await lines.request('tools/call', getUser)).result);
  });
}

test('a cancelled question is not answered later: nothing is deleted', async (t) => {
  const lines = startLines(t, ['--emulate']);
  await lines.initialize('2025-06-18', { elicitation: {} });
  const asked = lines.next((message) => message.method === 'elicitation/create');
  const params = { name: 'deleteOrganization', arguments: { organizationId: LUMEN } };
  lines.send({ jsonrpc: '2.0', id: 'delete', method: 'tools/call', params });
  const { id } = await asked;
  lines.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'delete' } });
  lines.send({ jsonrpc: '2.0', id, result: { action: 'accept', content: { confirm: true } } });
  const read = { name: 'getOrganization', arguments: { organizationId: LUMEN } };
  const { result } = await lines.request('tools/call', read);
  assert.equal(result.structuredContent.id, LUMEN);
});

test('input closed before a word: exit code 0', async (t) => {
  const lines = startLines(t, ['--emulate']);
  lines.closeInput();
  assert.deepEqual(await lines.ended, { code: 0, signal: null });
});

for (const delayMs of [700, 7000]) {
  test(`input closed ${delayMs} ms before Clerk answers: the answer still comes`, async (t) => {
    const { lines, api } = await startSlow(t, delayMs);
    const answer = lines.request('tools/call', { name: 'getUser', arguments: { userId: 'user_a' } });
    lines.closeInput();
    assert.equal((await answer).result.structuredContent.id, 'user_a');
    assert.deepEqual(await lines.ended, { code: 0, signal: null });
    assert.equal(api.requests.length, 1);
  });
}

test('the last line needs no line end', async (t) => {
  const lines = startLines(t, ['--emulate']);
  await lines.initialize('2025-11-25');
  const answer = lines.answer('last');
  lines.write(JSON.stringify({ jsonrpc: '2.0', id: 'last', method: 'tools/call', params: getUser }));
  lines.closeInput();
  assert.ok((await answer).result);
  assert.equal((await lines.ended).code, 0);
});

for (const signal of ['SIGTERM', 'SIGINT']) {
  test(`${signal}: exit code 0 and a sentence`, async (t) => {
    const lines = startLines(t, ['--emulate']);
    await lines.initialize('2025-11-25');
    lines.kill(signal);
    assert.deepEqual(await lines.ended, { code: 0, signal: null });
    assert.match(lines.stderr, new RegExp(`clerk-mcp: stopped by ${signal}`));
  });
}

test('SIGTERM before the first line', async (t) => {
  const lines = startLines(t, ['--emulate']);
  await until('the handler of SIGTERM', () => lines.catches(15));
  lines.kill('SIGTERM');
  assert.deepEqual(await lines.ended, { code: 0, signal: null });
  assert.match(lines.stderr, /stopped by SIGTERM/);
});

test('SIGTERM in the middle of a call ends the server at once', async (t) => {
  const { lines, api } = await startSlow(t, 120_000);
  lines.request('tools/call', { name: 'getUser', arguments: { userId: 'user_a' } }).catch(() => {});
  await until('the request', () => api.requests.length === 1);
  const start = Date.now();
  lines.kill('SIGTERM');
  assert.deepEqual(await lines.ended, { code: 0, signal: null });
  assert.ok(Date.now() - start < 60_000);
  assert.match(lines.stderr, /stopped by SIGTERM/);
});

test('a client that goes away without a word ends the server', async (t) => {
  const lines = startLines(t, ['--emulate']);
  await lines.initialize('2025-11-25');
  lines.request('tools/call', getUser).catch(() => {});
  lines.closeOutput();
  lines.closeInput();
  assert.equal((await lines.ended).signal, null);
  assert.doesNotMatch(lines.stderr, /panicked/);
});

test('200 calls at once are all answered, each with its own', async (t) => {
  const lines = startLines(t, ['--emulate']);
  await lines.initialize('2025-11-25');
  const answers = await Promise.all(
    Array.from({ length: 200 }, async (_, index) => {
      const odd = index % 2 === 1;
      const call = odd
        ? getUser
        : { name: 'getOrganization', arguments: { organizationId: LUMEN, fields: ['/id', '/name'] } };
      const { id, result } = await lines.request('tools/call', call, { id: `call-${index}` });
      return [id, result.structuredContent.id, odd];
    }),
  );
  for (const [index, [id, got, odd]] of answers.entries()) {
    assert.equal(id, `call-${index}`);
    assert.equal(got, odd ? AVA : LUMEN);
  }
  assert.deepEqual(lines.garbage, []);
});

test('a slow call does not hold up the others', async (t) => {
  const answer = (response) => answerJson(response, 200, { object: 'user', id: 'user_a' });
  let slow;
  const api = await startRecordingServer(t, (request, response) => {
    if (request.url.endsWith('user_slow')) slow = response;
    else answer(response);
  });
  const lines = startLines(t, ['--api-url', api.url], { env: { CLERK_SECRET_KEY: 'sk_test_x' } });
  await lines.initialize('2025-11-25');
  const call = (userId) => lines.request('tools/call', { name: 'getUser', arguments: { userId } });
  const first = call('user_slow');
  await until('the first call is under way', () => slow);
  assert.equal((await call('user_fast')).result.structuredContent.id, 'user_a');
  answer(slow);
  assert.equal((await first).result.structuredContent.id, 'user_a');
});

test('a cancelled call is not answered, and stops asking Clerk', async (t) => {
  let hungUp = false;
  const api = await startRecordingServer(t, (_, response) => response.on('close', () => (hungUp = true)));
  const lines = startLines(t, ['--api-url', api.url], { env: { CLERK_SECRET_KEY: 'sk_test_slow' } });
  await lines.initialize('2025-11-25');
  lines.send({ jsonrpc: '2.0', id: 'x', method: 'tools/call', params: { name: 'getUser', arguments: { userId: 'user_a' } } });
  await until('the request', () => api.requests.length === 1);
  lines.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'x', reason: 'test' } });
  await until('Clerk is not waited for any more', () => hungUp);
  assert.deepEqual((await lines.request('ping')).result, {});
  assert.equal(lines.messages.some((message) => message.id === 'x'), false);
});
