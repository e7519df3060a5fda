// The official TypeScript client, version 2, against `clerk-mcp stdio --emulate`: in the lifecycle of
// protocol 2026-07-28 (server/discover, no initialize, questions as results) and in the older one.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { connect } from './support/client-v2.mjs';
import { AVA, LUMEN, NOAH, NORTHWIND, seedFile } from './support/seed.mjs';
import { call, refusal } from './support/tool-calls.mjs';

const MODERN = '2026-07-28';
const LIFECYCLES = [
  ['pinned to 2026-07-28', MODERN, { versionNegotiation: { mode: { pin: MODERN } } }],
  ['negotiated by discover', MODERN, { versionNegotiation: { mode: 'auto' } }],
  ['initialize at the newest older version', '2025-11-25', {}],
  ['initialize at 2025-06-18', '2025-06-18', { supportedProtocolVersions: ['2025-06-18'] }],
];

for (const [name, version, options] of LIFECYCLES) {
  describe(name, () => {
    const open = (t, more = {}) => connect(t, ['--emulate', ...(more.args ?? [])], {
      prepare: more.prepare,
      options: { ...options, ...more.options },
    });

    test('the version and the server are known', async (t) => {
      const client = await open(t);
      assert.equal(client.getNegotiatedProtocolVersion(), version);
      assert.equal(client.getProtocolEra(), version === MODERN ? 'modern' : 'legacy');
      assert.equal(client.getServerVersion().name, 'clerk-mcp');
      assert.match(client.getInstructions(), /Clerk instance/);
    });

    test('tools are listed and called', async (t) => {
      const client = await open(t);
      const { tools } = await client.listTools();
      assert.equal(tools.length, 27);
      for (const tool of tools) assert.ok(tool.title && tool.outputSchema && tool.annotations, tool.name);
      assert.equal((await call(client, 'getUser', { userId: AVA })).first_name, 'Ava');
      assert.equal((await call(client, 'getUserCount')).total_count, 30);
      assert.equal((await call(client, 'getUserList', { limit: 5 })).data.length, 5);
      assert.equal((await call(client, 'findUsers', { without: ['sign_in'] })).scanned, 30);
    });

    test('an organization lives its whole life', async (t) => {
      const client = await open(t);
      await client.listTools();
      const { id: organizationId } = await call(client, 'createOrganization', { name: 'Acme', createdBy: AVA });
      await call(client, 'createOrganizationMembership', { organizationId, userId: NOAH, role: 'org:member' });
      const promoted = await call(client, 'updateOrganizationMembership', {
        organizationId,
        userId: NOAH,
        role: 'org:admin',
      });
      assert.equal(promoted.role, 'org:admin');
      const { id: invitationId } = await call(client, 'createOrganizationInvitation', {
        organizationId,
        emailAddress: 'new@acme.example',
        role: 'org:member',
      });
      await call(client, 'revokeOrganizationInvitation', { organizationId, invitationId });
      assert.equal((await call(client, 'deleteOrganization', { organizationId })).deleted, true);
    });

    test('mistakes are tool errors', async (t) => {
      const client = await open(t);
      await client.listTools();
      assert.equal((await refusal(client, 'getUser', { userId: NORTHWIND })).code, 'invalid_arguments');
      const missing = await refusal(client, 'getUser', { userId: 'user_2EmuNobody0000000000000000' });
      assert.equal(missing.code, 'resource_not_found');
      assert.ok(missing.clerk_trace_id && missing.hint);
    });

    test('prompts, resources and completion', async (t) => {
      const client = await open(t);
      assert.equal((await client.listPrompts()).prompts.length, 3);
      const prompt = await client.getPrompt({ name: 'user_audit', arguments: { user: AVA } });
      assert.ok(prompt.messages[0].content.text.includes(AVA));
      assert.equal((await client.listResources()).resources.length, 1);
      assert.equal((await client.listResourceTemplates()).resourceTemplates.length, 2);
      const { contents } = await client.readResource({ uri: `clerk://users/${AVA}` });
      assert.equal(JSON.parse(contents[0].text).id, AVA);
      const { completion } = await client.complete({
        ref: { type: 'ref/resource', uri: 'clerk://organizations/{id}' },
        argument: { name: 'id', value: 'lumen' },
      });
      assert.deepEqual(completion.values, [LUMEN]);
      await assert.rejects(client.readResource({ uri: 'clerk://users/../instance' }), /no resource|user_/);
    });

    for (const [action, content, expected] of [
      ['accept', { confirm: true }, null],
      ['accept', { confirm: false }, 'declined'],
      ['decline', undefined, 'declined'],
      ['cancel', undefined, 'not_confirmed'],
    ]) {
      test(`deleteOrganization asks first: ${action} ${JSON.stringify(content ?? '')}`, async (t) => {
        const questions = [];
        const client = await open(t, {
          options: { capabilities: { elicitation: { form: {} } } },
          prepare: (client) =>
            client.setRequestHandler('elicitation/create', ({ params }) => {
              questions.push(params.message);
              return content ? { action, content } : { action };
            }),
        });
        await client.listTools();
        const target = { organizationId: LUMEN };
        if (expected === null) {
          assert.equal((await call(client, 'deleteOrganization', target)).deleted, true);
        } else {
          assert.equal((await refusal(client, 'deleteOrganization', target)).code, expected);
          await call(client, 'getOrganization', target);
        }
        assert.equal(questions.length, 1);
        assert.ok(questions[0].includes(LUMEN));
      });
    }

    test('--confirm always refuses a client that cannot ask', async (t) => {
      const client = await open(t, { args: ['--confirm', 'always'] });
      await client.listTools();
      const error = await refusal(client, 'deleteOrganization', { organizationId: LUMEN });
      assert.equal(error.code, 'confirmation_impossible');
    });

    test('findUsers reports progress, and stops when aborted', async (t) => {
      const client = await open(t, { args: ['--seed', seedFile(t, 'generate = { users = 20000 }\n')] });
      await client.listTools();
      const steps = [];
      const search = { name: 'findUsers', arguments: { without: ['email'] } };
      const { structuredContent } = await client.callTool(search, { onprogress: (step) => steps.push(step) });
      assert.equal(structuredContent.scanned, 20000);
      assert.ok(steps.length >= 3, `${steps.length} notifications`);
      const stop = new AbortController();
      const aborted = client.callTool(search, { signal: stop.signal, onprogress: () => stop.abort('enough') });
      await assert.rejects(aborted, /enough|abort/i);
      assert.equal((await call(client, 'getUserCount')).total_count, 20000);
    });
  });
}

describe('a confirmation by result', () => {
  const open = async (t, args = []) => {
    const client = await connect(t, ['--emulate', ...args], {
      options: {
        versionNegotiation: { mode: { pin: MODERN } },
        capabilities: { elicitation: { form: {} } },
        inputRequired: { autoFulfill: false },
      },
    });
    const ask = (organizationId, more = {}) =>
      client.callTool(
        { name: 'deleteOrganization', arguments: { organizationId }, ...more },
        { allowInputRequired: true },
      );
    return { client, ask };
  };
  const yes = { confirmation: { action: 'accept', content: { confirm: true } } };

  test('names its one question and carries a state', async (t) => {
    const { ask } = await open(t);
    const asked = await ask(LUMEN);
    assert.equal(asked.resultType, 'input_required');
    assert.deepEqual(Object.keys(asked.inputRequests), ['confirmation']);
    assert.equal(asked.inputRequests.confirmation.method, 'elicitation/create');
    assert.ok(asked.requestState.length > 20);
  });

  test('works once, for the call it was given for', async (t) => {
    const { client, ask } = await open(t);
    const { requestState } = await ask(LUMEN);
    const other = await ask(NORTHWIND, { requestState, inputResponses: yes });
    assert.equal(other.structuredContent.error.code, 'confirmation_invalid');
    const deleted = await ask(LUMEN, { requestState, inputResponses: yes });
    assert.equal(deleted.structuredContent.deleted, true);
    const again = await ask(LUMEN, { requestState, inputResponses: yes });
    assert.equal(again.structuredContent.error.code, 'confirmation_invalid');
    await call(client, 'getOrganization', { organizationId: NORTHWIND });
  });

  test('cannot be made up, borrowed from another server or left out', async (t) => {
    const { client, ask } = await open(t);
    const { ask: askElsewhere } = await open(t);
    const { requestState: borrowed } = await askElsewhere(LUMEN);
    const { requestState } = await ask(LUMEN);
    const changed = requestState.slice(0, -2) + (requestState.endsWith('AA') ? 'BB' : 'AA');
    for (const forged of [borrowed, changed, '', 'e30.e30', 'x'.repeat(10_000)]) {
      const refused = await ask(LUMEN, { requestState: forged, inputResponses: yes });
      assert.equal(refused.structuredContent?.error.code, 'confirmation_invalid', forged.slice(0, 40));
    }
    const unasked = await ask(LUMEN, { inputResponses: yes });
    assert.equal(unasked.resultType, 'input_required');
    const unanswered = await ask(LUMEN, { requestState });
    assert.equal(unanswered.structuredContent.error.code, 'not_confirmed');
    await call(client, 'getOrganization', { organizationId: LUMEN });
  });

  test('only an explicit yes is a yes', async (t) => {
    const { client, ask } = await open(t);
    for (const response of [
      { action: 'accept' },
      { action: 'accept', content: {} },
      { action: 'accept', content: { confirm: 'true' } },
      { action: 'decline', content: { confirm: true } },
      { action: 'cancel', content: { confirm: true } },
    ]) {
      const { requestState } = await ask(LUMEN);
      const refused = await ask(LUMEN, { requestState, inputResponses: { confirmation: response } });
      assert.match(refused.structuredContent.error.code, /^(declined|not_confirmed)$/, JSON.stringify(response));
    }
    await call(client, 'getOrganization', { organizationId: LUMEN });
  });
});
