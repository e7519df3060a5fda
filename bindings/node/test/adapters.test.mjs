// Every tool through every adapter and version, in a whole loop. What goes to Clerk and what comes
// back is the same everywhere, and the same as without an adapter.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ADAPTERS } from './support/adapters.mjs';
import { canonical, steady } from './support/canonical.mjs';
import { load } from './support/consumers.mjs';
import { startEmulator } from './support/emulator.mjs';
import { CALLS, teamFile } from './support/seed.mjs';

/** All calls over a fresh emulator: the results, and what reached Clerk. */
async function traverse(t, make) {
  const emulator = await startEmulator(t, ['--seed', teamFile(t)]);
  const adapter = await make(emulator.options);
  t.after(() => adapter.close());
  const schemas = await adapter.schemas();
  await emulator.control('DELETE', 'requests');
  const results = [];
  for (const [name, args] of CALLS) {
    const { result, isError } = await adapter.ask(name, args);
    assert.ok(!isError && !result.error, `${name}: ${JSON.stringify(result)}`);
    results.push(canonical([name, steady(result)]));
  }
  // An error is a result like any other.
  const { result: error, isError } = await adapter.ask('getUser', { userId: 'user_nobody' });
  assert.notEqual(isError, false);
  const { data } = await emulator.control('GET', 'requests');
  const requests = data.map(({ at, ...request }) => canonical(steady(request)));
  return {
    requests,
    results,
    error: canonical(steady(error)),
    schemas: canonical(Object.fromEntries(schemas)),
  };
}

async function withoutAdapter(options) {
  const { createClerkToolkit } = await load('plain', 'clerk-agent-tools');
  const toolkit = await createClerkToolkit(options);
  return {
    ask: async (name, args) => {
      try {
        return { result: await toolkit.call(name, args), isError: false };
      } catch (error) {
        return { result: error.toJSON(), isError: true };
      }
    },
    schemas: async () => new Map(toolkit.allTools().map((tool) => [tool.name, tool.inputSchema])),
    close() {},
  };
}

describe('every tool, in a whole loop', () => {
  let expected;
  test('without an adapter', async (t) => {
    expected = await traverse(t, withoutAdapter);
    const { createClerkToolkit } = await load('plain', 'clerk-agent-tools');
    const toolkit = await createClerkToolkit({ secretKey: 'sk_test_x' });
    assert.deepEqual(
      CALLS.map(([name]) => name).sort(),
      toolkit.allTools().map((tool) => tool.name).sort(),
      'the calls cover every tool',
    );
    assert.ok(expected.requests.length >= CALLS.length);
  });
  for (const [name, make] of Object.entries(ADAPTERS)) {
    test(`through ${name}: the same requests, results, errors and schemas`, async (t) => {
      assert.ok(expected, 'the reference run failed');
      const { requests, results, error, schemas } = await traverse(t, make);
      assert.deepEqual(requests, expected.requests);
      assert.deepEqual(results, expected.results);
      assert.equal(error, expected.error);
      assert.equal(schemas, expected.schemas);
    });
  }
});

describe('categories', () => {
  for (const [name, make] of Object.entries(ADAPTERS)) {
    if (name.startsWith('MCP')) continue;
    test(`of ${name}`, async () => {
      const { toolkit } = await make({ secretKey: 'sk_test_x' });
      const names = (tools) => (Array.isArray(tools) ? tools.map((tool) => tool.name) : Object.keys(tools));
      const all = names(toolkit.allTools());
      const parts = ['users', 'organizations', 'invitations'].map((category) => names(toolkit[category]()));
      assert.deepEqual(parts.flat().sort(), [...all].sort());
      assert.deepEqual(parts.map((part) => part.length), [10, 14, 3]);
      assert.deepEqual(Object.keys(toolkit.toolMap()), all);
      const few = (await make({ secretKey: 'sk_test_x', tools: ['users.getUser', 'invitations'] })).toolkit;
      assert.deepEqual(names(few.users()), ['getUser']);
      assert.deepEqual(names(few.organizations()), []);
      const two = (await make({ secretKey: 'sk_test_x', tools: 'getUser,getOrganization' })).toolkit;
      assert.deepEqual(names(two.allTools()), ['getUser', 'getOrganization']);
    });
  }
  for (const name of ['MCP SDK 1', 'MCP SDK 2']) {
    test(`of ${name}`, async (t) => {
      const adapter = await ADAPTERS[name]({ secretKey: 'sk_test_x', tools: ['users', { name: 'getOrganization' }] });
      t.after(() => adapter.close());
      assert.equal(adapter.tools.length, 11);
      const user = adapter.tools.find((tool) => tool.name === 'getUser');
      assert.equal(user.annotations.readOnlyHint, true);
      assert.equal(user.outputSchema.type, 'object');
      assert.equal('category' in user, false);
    });
  }
});
