// What goes wrong says what it is: an Error of its own class, with a code and a hint.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClerkClient } from '@clerk/backend';
import { until } from '../../../tests/support/until.mjs';
import { ADAPTERS } from './support/adapters.mjs';
import { load, requireFrom } from './support/consumers.mjs';
import { startEmulator } from './support/emulator.mjs';
import { answerJson, clerkError, startRecordingServer } from './support/recording-server.mjs';
import { AVA, LUMEN, NOAH, NORTHWIND } from './support/seed.mjs';

for (const name of Object.keys(process.env)) if (name.startsWith('CLERK_')) delete process.env[name];

const package_ = await load('plain', 'clerk-agent-tools');
const {
  ClerkApiError,
  ClerkArgumentsError,
  ClerkConnectionError,
  ClerkKeyError,
  ClerkPatternError,
  ClerkPermissionError,
  ClerkTokenError,
  ClerkToolkitError,
  createClerkToolkit,
} = package_;
const KEY = 'sk_test_SECRETSECRETSECRETSECRET0123';

/** Rejects with exactly this class, code and message, says a hint, and holds no key. */
async function fails(promise, Class, code, message, { hint = true } = {}) {
  const error = await promise.then(
    (value) => assert.fail(`should fail: ${JSON.stringify(value)?.slice(0, 200)}`),
    (error) => error,
  );
  assert.equal(error.constructor, Class, error.stack);
  assert.ok(error instanceof ClerkToolkitError && error instanceof Error);
  assert.equal(error.name, Class.name);
  assert.equal(error.code, code, error.message);
  assert.match(error.message, message);
  if (hint) {
    assert.ok(error.hint, `no hint: ${error.message}`);
    assert.ok(error.message.endsWith(`\nhint: ${error.hint}`));
  }
  assert.ok(!`${error.stack} ${JSON.stringify(error)}`.includes(KEY));
  return error;
}

describe('the key', () => {
  test('is missing', async () => {
    for (const options of [undefined, null, {}, { secretKey: undefined }, { clerkClient: {} }, { clerkClient: { secretKey: undefined } }]) {
      await fails(createClerkToolkit(options), ClerkKeyError, 'secret_key_missing', /no Clerk secret key[^]*CLERK_SECRET_KEY/);
    }
  });

  test('is empty: whoever gives one does not mean that of the environment', async () => {
    process.env.CLERK_SECRET_KEY = KEY;
    after(() => delete process.env.CLERK_SECRET_KEY);
    for (const secretKey of ['', ' ']) {
      await fails(createClerkToolkit({ secretKey }), ClerkKeyError, 'secret_key_missing', /^secretKey: the secret key is empty[^]*CLERK_SECRET_KEY/);
      await fails(createClerkToolkit({ clerkClient: { secretKey } }), ClerkKeyError, 'secret_key_missing', /^clerkClient\.secretKey: /);
    }
    delete process.env.CLERK_SECRET_KEY;
  });

  test('is of another kind', async () => {
    for (const [secretKey, message] of [
      ['pk_test_Y2xlcms', /secretKey: this is a publishable key/],
      ['whsec_abcdef', /starts with whsec_/],
      ['hunter2', /starts with sk_test_ or sk_live_/],
      ['sk_test_ab cd', /characters/],
      ['sk_test_ab\nX: y', /characters/],
      ['sk_test_', /empty/],
    ]) {
      const error = await fails(createClerkToolkit({ secretKey }), ClerkKeyError, 'secret_key_invalid', message);
      assert.ok(!error.message.includes(secretKey) || secretKey === 'sk_test_');
    }
    await fails(createClerkToolkit({ clerkClient: { secretKey: 'pk_x' } }), ClerkKeyError, 'secret_key_invalid', /^clerkClient\.secretKey: /);
    process.env.CLERK_SECRET_KEY = 'pk_live_x';
    after(() => delete process.env.CLERK_SECRET_KEY);
    await fails(createClerkToolkit(), ClerkKeyError, 'secret_key_invalid', /^CLERK_SECRET_KEY: /);
    delete process.env.CLERK_SECRET_KEY;
  });

  test('comes from the option, then from clerkClient, then from the environment', async (t) => {
    const api = await startRecordingServer(t, (_, response) => answerJson(response, 200, { object: 'total_count', total_count: 1 }));
    process.env.CLERK_API_URL = api.url;
    process.env.CLERK_SECRET_KEY = 'sk_test_environment';
    process.env.CLERK_API_VERSION = 'v1';
    t.after(() => {
      for (const name of ['CLERK_API_URL', 'CLERK_SECRET_KEY', 'CLERK_API_VERSION']) delete process.env[name];
    });
    const clerkClient = { secretKey: 'sk_test_client', apiVersion: 'v1', publishableKey: 'pk_test_x' };
    for (const options of [{ secretKey: 'sk_test_option', clerkClient }, { clerkClient }, {}]) {
      await (await createClerkToolkit(options)).call('getUserCount');
    }
    const keys = api.requests.map((request) => request.headers.authorization);
    assert.deepEqual(keys, ['Bearer sk_test_option', 'Bearer sk_test_client', 'Bearer sk_test_environment']);
    assert.match(api.requests[0].headers['user-agent'], /^clerk-agent-tools\//);
  });

  test('of a client that is made already cannot be read', async () => {
    const clerkClient = createClerkClient({ secretKey: KEY });
    await fails(createClerkToolkit({ clerkClient }), ClerkToolkitError, 'invalid_options', /createClerkClient/);
  });
});

describe('options', () => {
  for (const [what, options, message] of [
    ['an unknown one', { allowedTools: [] }, /`allowedTools`[^]*authContext, secretKey[^]*toolErrors[^]*sdk/],
    ['a flag that is none', { readOnly: 'yes' }, /`readOnly` is neither true nor false/],
    ['a key that is no text', { secretKey: 42 }, /`secretKey` is no text/],
    ['a client that is no object', { clerkClient: 'x' }, /`clerkClient` is no object/],
    ['an address that is none', { apiUrl: 'clerk' }, /apiUrl: the Clerk API URL/],
    ['an address in plain text', { apiUrl: 'http://192.0.2.1' }, /must begin with https/],
    ['a version that is none', { clerkClient: { apiVersion: 'latest' } }, /apiVersion/],
    ['tools that are no list', { tools: 7 }, /`tools` is no list/],
    ['a tool that is no text', { tools: [null] }, /`tools` is no list/],
    ['a key for tokens that is none', { jwtKey: 'x' }, /^jwtKey: /],
    ['permissions that are no list', { authContext: { userId: 'user_a', orgPermissions: 'all' } }, /`authContext\.orgPermissions` is no list/],
    ['an actor that is no object', { authContext: { userId: 'user_a', actor: 'x' } }, /`actor` is no object/],
    ['a promise for a context', { authContext: Promise.resolve({}) }, /await auth\(\)/],
    ['a context that is no object', { authContext: 'user_a' }, /`authContext` is no object/],
    ['what is no JSON', { authContext: { userId: 'user_a', sessionClaims: { n: 1n } } }, /cannot be written as JSON/],
    ['errors handled in no known way', { toolErrors: 'hide' }, /`toolErrors`/],
  ]) {
    test(what, async () => {
      await fails(createClerkToolkit({ secretKey: KEY, ...options }), ClerkToolkitError, 'invalid_options', message, { hint: false });
    });
  }
});

describe('tool patterns', () => {
  test('that name nothing', async () => {
    for (const tools of ['user', 'users.getUsers', 'users.*.x', '', [], [''], ['getUser', 'nothing']]) {
      await fails(createClerkToolkit({ secretKey: KEY, tools }), ClerkPatternError, 'invalid_pattern', /pattern|names no/);
    }
  });

  test('that leave nothing', async () => {
    await fails(createClerkToolkit({ secretKey: KEY, tools: 'deleteOrganization', readOnly: true }), ClerkPatternError, 'no_tools', /`readOnly` leaves out deleteOrganization/);
    const authContext = { userId: 'user_a' };
    await fails(createClerkToolkit({ secretKey: KEY, tools: ['findUsers'], authContext }), ClerkPatternError, 'no_tools', /leaves out findUsers/);
  });
});

describe('the auth context', () => {
  test('of nobody is never a toolkit with the power of the key', async () => {
    for (const authContext of [undefined, null, {}, { userId: null, sessionId: null }, { userId: '' }, { orgId: NORTHWIND }]) {
      await fails(createClerkToolkit({ secretKey: KEY, authContext }), ClerkTokenError, 'signed_out', /nobody is signed in/);
    }
  });

  test('with ids that are none', async () => {
    for (const [authContext, message] of [
      [{ userId: '../user_a' }, /authContext\.userId/],
      [{ userId: 'org_a' }, /authContext\.userId/],
      [{ userId: 'user_a', orgId: 'user_b' }, /authContext\.orgId/],
      [{ userId: 'user_a', sessionId: 'user_b' }, /authContext\.sessionId/],
    ]) {
      await fails(createClerkToolkit({ secretKey: KEY, authContext }), ClerkTokenError, 'invalid_auth_context', message);
    }
  });
});

describe('a call', () => {
  test('with wrong arguments names every fault', async () => {
    const toolkit = await createClerkToolkit({ secretKey: KEY, apiUrl: 'http://127.0.0.1:1' });
    const error = await fails(toolkit.call('getUserList', { limit: 0, offset: 'x', banana: 1 }), ClerkArgumentsError, 'invalid_arguments', /limit[^]*offset|offset[^]*limit/, { hint: false });
    assert.deepEqual(error.details.arguments.map((fault) => fault.argument).sort(), ['banana', 'limit', 'offset']);
    for (const args of [null, 1, 'x', [], true, '{"userId":"user_a"}']) {
      await fails(toolkit.call('getUser', args), ClerkArgumentsError, 'invalid_arguments', /./, { hint: false });
    }
  });

  test('with arguments that are no JSON', async () => {
    const toolkit = await createClerkToolkit({ secretKey: KEY, apiUrl: 'http://127.0.0.1:1' });
    const circular = {};
    circular.self = circular;
    let deep = {};
    for (let depth = 0; depth < 5000; depth += 1) deep = { deep };
    const throwing = { toJSON() { throw new Error('no'); } };
    for (const args of [circular, { n: 1n }, deep, throwing, { userId: 'user_\ud800' }]) {
      await fails(toolkit.call('getUser', args), ClerkArgumentsError, 'invalid_arguments', /./, { hint: false });
    }
    for (const args of [undefined, () => {}, Symbol('x')]) {
      await fails(toolkit.call('getUser', args), ClerkArgumentsError, 'invalid_arguments', /userId/, { hint: false });
    }
  });

  test('of a tool that there is not', async () => {
    const toolkit = await createClerkToolkit({ secretKey: KEY, tools: 'users' });
    for (const name of ['nothing', 'getOrganization', '', undefined, null, 7, '__proto__', 'constructor']) {
      await fails(toolkit.call(name, {}), ClerkToolkitError, 'unknown_tool', /there is no tool/);
    }
  });

  test('that the person may not make', async (t) => {
    const emulator = await startEmulator(t);
    const toolkit = await createClerkToolkit({ ...emulator.options, authContext: { userId: NOAH } });
    await fails(toolkit.call('getOrganization', { organizationId: LUMEN }), ClerkPermissionError, 'not_permitted', /./);
  });

  test('that Clerk refuses', async (t) => {
    const emulator = await startEmulator(t);
    const toolkit = await createClerkToolkit(emulator.options);
    const missing = await fails(toolkit.call('getUser', { userId: 'user_nobody' }), ClerkApiError, 'resource_not_found', /No user was found/);
    assert.equal(missing.status, 404);
    assert.match(missing.clerkTraceId, /^\w{16,}$/);
    assert.deepEqual(Object.keys(missing.toJSON()), ['error']);
    assert.equal(missing.toJSON().error.code, 'resource_not_found');
    await emulator.control('POST', 'faults', { operation: 'CreateOrganization', status: 429, retry_after: 77 });
    const limited = await fails(toolkit.call('createOrganization', { name: 'x', createdBy: AVA }), ClerkApiError, 'too_many_requests', /./);
    assert.equal(limited.status, 429);
    assert.equal(limited.retryAfter, 77);
    const foreign = await createClerkToolkit({ ...emulator.options, secretKey: KEY });
    assert.equal((await fails(foreign.call('getUserCount'), ClerkApiError, 'clerk_key_invalid', /./)).status, 401);
  });

  test('that nobody answers, or not as Clerk', async (t) => {
    const nowhere = await createClerkToolkit({ secretKey: KEY, apiUrl: 'http://127.0.0.1:1' });
    await fails(nowhere.call('createOrganization', { name: 'x', createdBy: 'user_a' }), ClerkConnectionError, 'connection_failed', /could not connect/);
    const html = await startRecordingServer(t, (_, response) => answerJson(response, 200, '<html>'));
    const strange = await createClerkToolkit({ secretKey: KEY, apiUrl: html.url });
    await fails(strange.call('getUser', { userId: 'user_a' }), ClerkApiError, 'invalid_json', /not JSON/);
    const list = await startRecordingServer(t, (_, response) => answerJson(response, 200, '[1]'));
    const other = await createClerkToolkit({ secretKey: KEY, apiUrl: list.url });
    await fails(other.call('getUser', { userId: 'user_a' }), ClerkApiError, 'unexpected_answer', /./);
    const dropped = await startRecordingServer(t, (_, response) => response.destroy());
    const broken = await createClerkToolkit({ secretKey: KEY, apiUrl: dropped.url });
    await fails(broken.call('createOrganization', { name: 'x', createdBy: 'user_a' }), ClerkConnectionError, 'connection_interrupted', /./);
  });

  test('of which half was done', async (t) => {
    const api = await startRecordingServer(t, (request, response) =>
      request.url.endsWith('/metadata')
        ? answerJson(response, 422, clerkError('form_param_value_invalid', 'bad'))
        : answerJson(response, 200, { object: 'organization', id: 'org_a' }),
    );
    const toolkit = await createClerkToolkit({ secretKey: KEY, apiUrl: api.url });
    await fails(
      toolkit.call('updateOrganization', { organizationId: 'org_a', name: 'x', publicMetadata: { a: 1 } }),
      ClerkApiError,
      'form_param_value_invalid',
      /was done/,
    );
  });

  test('that is cancelled ends with the reason, and sends no more', async (t) => {
    let isAnswered = false;
    const api = await startRecordingServer(t, async (_, response) => {
      // Less than the toolkit waits, longer than anything here takes.
      await sleep(25_000, undefined, { ref: false });
      isAnswered = true;
      answerJson(response, 200, {});
    });
    const toolkit = await createClerkToolkit({ secretKey: KEY, apiUrl: api.url });
    const stop = new AbortController();
    const call = toolkit.call('getUser', { userId: 'user_a' }, { signal: stop.signal });
    const ended = assert.rejects(call, /enough/);
    await until('the request', () => api.requests.length === 1);
    stop.abort(new Error('enough'));
    await ended;
    assert.ok(!isAnswered, 'it does not wait for the answer');
    await assert.rejects(toolkit.call('getUser', { userId: 'user_a' }, { signal: AbortSignal.abort() }), { name: 'AbortError' });
    assert.equal(api.requests.length, 1);
  });
});

describe('the native module', () => {
  test('takes anything without ending the process', async () => {
    const native = requireFrom('plain')('clerk-agent-tools-linux-x64-gnu');
    const options = JSON.stringify({ options: { secretKey: KEY }, environment: {} });
    for (const given of [undefined, null, 0, {}, [], '', '{', 'null', '[]', '{"options":1}', '{"options":{"authContext":7}}', '\ud800', Symbol('x')]) {
      await assert.rejects(async () => native.Toolkit.open(given), Error, String(given));
      assert.throws(() => new native.Toolkit(given), Error);
    }
    const toolkit = await native.Toolkit.open(options);
    for (const args of [[], [1], ['getUser'], ['getUser', {}], ['getUser', '{', {}], [null, null, null], ['getUser', '{}', 'cancel']]) {
      await assert.rejects(async () => toolkit.call(...args), Error);
    }
    assert.throws(() => native.Toolkit.prototype.definitions.call({}), Error);
    assert.throws(() => native.Toolkit.prototype.call.call(new native.Cancel(), 'getUser', '{}'), Error);
    assert.ok(JSON.parse(toolkit.definitions()).length > 20);
  });
});

describe('an error in an agent loop', () => {
  for (const [name, make] of Object.entries(ADAPTERS)) {
    test(`${name}: is the tool's result, marked as an error where the framework can`, async (t) => {
      const emulator = await startEmulator(t);
      const adapter = await make(emulator.options);
      t.after(() => adapter.close());
      const { result, isError } = await adapter.ask('getUser', { userId: 'user_nobody' });
      assert.equal(result.error.code, 'resource_not_found');
      assert.equal(result.error.status, 404);
      assert.equal(isError, name === 'AI SDK 4' ? undefined : true);
    });
  }

  for (const name of ['AI SDK 4', 'AI SDK 5', 'AI SDK 6', 'AI SDK 7', 'LangChain 0.3', 'LangChain 1']) {
    test(`${name}: is the framework's with toolErrors: 'throw'`, async (t) => {
      const emulator = await startEmulator(t);
      const { toolkit, ask } = await ADAPTERS[name]({ ...emulator.options, toolErrors: 'throw' });
      const tool = toolkit.toolMap().getUser;
      const args = { userId: 'user_nobody' };
      const call = tool.execute ? tool.execute(args, {}) : tool.invoke(args);
      await assert.rejects(call, (error) => error.name === 'ClerkApiError' && error.status === 404);
      if (['AI SDK 5', 'AI SDK 6', 'AI SDK 7'].includes(name)) {
        // The SDK shows the model the error's message.
        const { result, isError } = await ask('getUser', args);
        assert.equal(isError, true);
        assert.match(result, /No user was found[^]*hint: /);
      } else {
        await assert.rejects(ask('getUser', args), /No user was found/);
      }
    });
  }

  for (const [name, make] of Object.entries(ADAPTERS)) {
    if (name.startsWith('MCP')) continue;
    test(`${name}: a cancelled loop cancels its call`, async (t) => {
      const api = await startRecordingServer(t, () => {});
      const adapter = await make({ secretKey: KEY, apiUrl: api.url });
      const stop = new AbortController();
      const loop = adapter.generate('getUser', { userId: 'user_a' }, { signal: stop.signal, abortSignal: stop.signal });
      const ended = assert.rejects(loop);
      await until('the request', () => api.requests.length === 1);
      stop.abort();
      await ended;
      assert.equal(api.requests.length, 1);
    });
  }
});

test('options that are no plain object are refused, never read as none', async () => {
  class Options {
    get authContext() {
      return { userId: null };
    }
  }
  const authContext = { userId: AVA };
  const opened = [createClerkToolkit];
  opened.push((await load('mcp-2', 'clerk-agent-tools/modelcontextprotocol')).createClerkMcpServer);
  for (const open of opened) {
    for (const options of [
      Promise.resolve({ authContext }),
      () => ({ authContext }),
      new Map([['authContext', authContext]]),
      Object.create({ authContext }),
      new Options(),
      [],
      5,
      false,
      'users',
    ]) {
      await assert.rejects(open(options), (error) => {
        assert.equal(error.code, 'invalid_options');
        assert.match(error.message, /not a plain object/);
        return true;
      });
    }
  }
});
