// What a model, or whoever writes into its context, could try through each adapter.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ADAPTERS } from './support/adapters.mjs';
import { startEmulator } from './support/emulator.mjs';
import { answerJson, clerkError, startRecordingServer } from './support/recording-server.mjs';
import { AVA, LIAM_BANNED, LUCAS, LUMEN, NOAH, NORTHWIND, PRIYA, QUARRY, seedFile } from './support/seed.mjs';

const KEY = 'sk_test_SECRETSECRETSECRETSECRET0123';
const MARKER = '[redacted by clerk-mcp]';

/** As `auth()` gives it. */
const session = (userId, orgId, orgRole) => ({
  userId,
  sessionId: 'sess_2EmuSession000000000000000',
  orgId,
  orgRole,
  has: () => true,
  getToken: async () => 'token',
});

for (const [name, make] of Object.entries(ADAPTERS)) {
  /** The adapter over a fresh emulator. */
  const open = async (t, options, args = []) => {
    const emulator = await startEmulator(t, args);
    const adapter = await make({ ...emulator.options, ...options });
    t.after(() => adapter.close());
    return Object.assign(adapter, { emulator });
  };
  const against = async (t, answer, options) => {
    const api = await startRecordingServer(t, answer);
    const adapter = await make({ secretKey: KEY, apiUrl: api.url, ...options });
    t.after(() => adapter.close());
    return Object.assign(adapter, { api });
  };
  const call = async (adapter, tool, args) => {
    const { result, isError } = await adapter.ask(tool, args);
    assert.ok(!isError && !result.error, `${tool}: ${JSON.stringify(result)}`);
    return result;
  };
  const refusal = async (adapter, tool, args) => {
    const { result, isError } = await adapter.ask(tool, args);
    assert.ok(result.error, `${tool} ${JSON.stringify(args)} should fail: ${JSON.stringify(result).slice(0, 200)}`);
    assert.notEqual(isError, false);
    return result.error;
  };

  describe(name, () => {
    test('what a session decides is absent from the schemas', async (t) => {
      for (const context of [session(AVA), session(AVA, NORTHWIND, 'org:admin')]) {
        const adapter = await make({ secretKey: KEY, authContext: context, tools: ['*'] });
        t.after(() => adapter.close());
        const schemas = name.startsWith('MCP')
          ? await adapter.schemas()
          : new Map(
              Object.entries(adapter.toolkit.toolMap()).map(([tool, { schema, inputSchema }]) => [
                tool,
                schema ?? inputSchema.jsonSchema,
              ]),
            );
        assert.ok(schemas.size > 5);
        for (const [tool, { properties }] of schemas) {
          const gone = ['createdBy', 'inviterUserId', 'requestingUserId', 'redirectUrl', 'includeUrl'];
          gone.push('maxAllowedMemberships', 'publicMetadata', 'privateMetadata');
          if (context.orgId) gone.push('organizationId');
          for (const argument of gone) assert.equal(argument in properties, false, `${tool}.${argument}`);
        }
        for (const tool of ['getUser', 'updateUser', 'updateUserUnsafeMetadata']) {
          assert.equal('userId' in schemas.get(tool).properties, false, tool);
        }
        for (const tool of ['getUserList', 'findUsers', 'updateUserPublicMetadata', 'createInvitation']) {
          assert.equal(schemas.has(tool), false, tool);
        }
      }
    });

    test('what a session decides is refused when sent, even with the right value', async (t) => {
      const adapter = await open(t, { authContext: session(AVA, NORTHWIND, 'org:admin') });
      await adapter.emulator.control('DELETE', 'requests');
      for (const [tool, args] of [
        ['getUser', { userId: AVA }],
        ['getUser', { userId: LUCAS }],
        ['updateUser', { userId: NOAH, firstName: 'x' }],
        ['getOrganization', { organizationId: LUMEN }],
        ['getOrganization', { organizationId: NORTHWIND }],
        ['getOrganization', { slug: 'lumen-studio' }],
        ['getOrganizationMembershipList', { organizationId: LUMEN }],
        ['createOrganizationInvitation', { emailAddress: 'a@b.example', role: 'org:member', inviterUserId: NOAH }],
        ['createOrganizationInvitation', { emailAddress: 'a@b.example', role: 'org:member', redirectUrl: 'https://evil.example' }],
        ['createOrganizationInvitation', { emailAddress: 'a@b.example', role: 'org:member', publicMetadata: { admin: true } }],
        ['createOrganizationInvitation', { emailAddress: 'a@b.example', role: 'org:member', includeUrl: true }],
        ['updateOrganization', { name: 'x', maxAllowedMemberships: 0 }],
        ['updateOrganization', { publicMetadata: { plan: 'enterprise' } }],
        ['deleteOrganization', { organizationId: LUMEN }],
      ]) {
        const { code } = await refusal(adapter, tool, args);
        assert.equal(code, 'invalid_arguments', `${tool} ${JSON.stringify(args)}`);
      }
      assert.equal((await adapter.emulator.control('GET', 'requests')).data.length, 0);
    });

    test('the session is what is sent', async (t) => {
      const adapter = await open(t, { authContext: session(AVA, NORTHWIND, 'org:admin') });
      assert.equal((await call(adapter, 'getUserId')).userId, AVA);
      assert.equal((await call(adapter, 'getUser')).id, AVA);
      assert.equal((await call(adapter, 'getOrganization')).id, NORTHWIND);
      const invited = await call(adapter, 'createOrganizationInvitation', { emailAddress: 'a@b.example', role: 'org:member' });
      assert.equal(invited.organization_id, NORTHWIND);
      assert.equal(invited.url, MARKER);
    });

    test('another organization is out of reach, and looks like none', async (t) => {
      const adapter = await open(t, { authContext: session(NOAH) });
      const reach = (organizationId) => [
        ['getOrganization', { organizationId }],
        ['getOrganizationMembershipList', { organizationId }],
        ['getOrganizationInvitationList', { organizationId }],
        ['updateOrganization', { organizationId, name: 'mine' }],
        ['deleteOrganization', { organizationId }],
        ['createOrganizationMembership', { organizationId, userId: NOAH, role: 'org:admin' }],
        ['deleteOrganizationMembership', { organizationId, userId: LUCAS }],
        ['createOrganizationInvitation', { organizationId, emailAddress: 'a@b.example', role: 'org:member' }],
      ];
      for (const [index, [tool, args]] of reach(LUMEN).entries()) {
        const error = await refusal(adapter, tool, args);
        assert.equal(error.code, 'not_permitted', tool);
        const nowhere = await refusal(adapter, ...reach('org_2EmuNothing00000000000000000')[index]);
        assert.equal(nowhere.message, error.message);
      }
      assert.equal((await refusal(adapter, 'getOrganization', { slug: 'lumen-studio' })).code, 'not_permitted');
      assert.equal((await call(adapter, 'getOrganization', { slug: 'northwind-metrics' })).id, NORTHWIND);
    });

    test('a claimed organization or role gives nothing that the membership does not', async (t) => {
      const stranger = await open(t, { authContext: session(NOAH, LUMEN, 'org:admin') });
      for (const [tool, args] of [
        ['getOrganization', {}],
        ['getOrganizationMembershipList', {}],
        ['deleteOrganization', {}],
        ['createOrganizationMembership', { userId: NOAH, role: 'org:admin' }],
      ]) {
        assert.equal((await refusal(stranger, tool, args)).code, 'not_permitted', tool);
      }
      for (const userId of [NOAH, PRIYA]) {
        const adapter = await open(t, { authContext: session(userId, NORTHWIND, 'org:admin') });
        for (const [tool, args] of [
          ['updateOrganization', { name: 'mine' }],
          ['deleteOrganization', {}],
          ['createOrganizationMembership', { userId: LUCAS, role: 'org:member' }],
          ['updateOrganizationMembership', { userId, role: 'org:admin' }],
          ['updateOrganizationMembership', { userId: AVA, role: 'org:member' }],
          ['deleteOrganizationMembership', { userId: AVA }],
          ['createOrganizationInvitation', { emailAddress: 'a@b.example', role: 'org:admin' }],
        ]) {
          assert.equal((await refusal(adapter, tool, args)).code, 'not_permitted', `${userId} ${tool}`);
        }
      }
    });

    test('nobody changes their own role, and a role narrows', async (t) => {
      const admin = await open(t, { authContext: session(AVA, NORTHWIND, 'org:admin') });
      assert.equal((await refusal(admin, 'updateOrganizationMembership', { userId: AVA, role: 'org:member' })).code, 'not_permitted');
      const member = await open(t, { authContext: session(AVA, NORTHWIND, 'org:member') });
      assert.equal((await refusal(member, 'updateOrganization', { name: 'x' })).code, 'not_permitted');
      const elsewhere = await open(t, { authContext: session(AVA, QUARRY, 'org:admin') });
      assert.equal((await refusal(elsewhere, 'deleteOrganization', {})).code, 'not_permitted');
    });

    test('who is banned can do nothing', async (t) => {
      const adapter = await open(t, { authContext: session(LIAM_BANNED) });
      assert.equal((await refusal(adapter, 'updateUser', { firstName: 'Back' })).code, 'not_permitted');
    });

    test('ids are one path segment with their prefix, checked before any request', async (t) => {
      const adapter = await against(t, (_, response) => answerJson(response, 200, {}));
      for (const id of [
        '', '.', '..', '../', '../instance', 'user_a/../user_b', 'user_a/ban', 'user_a%2fban', 'user_a%252fban',
        'user_a?x=1', 'user_a#x', 'user_..', 'user_', 'user_a\\b', 'user_a b', ' user_a', 'user_a\n', 'user_a\u0000',
        'user_a;x', 'USER_a', 'org_a', 'user_á', 'user_a\u200b', `user_${'a'.repeat(5000)}`, 'user_%2e%2e', '%2e%2e',
        'user_a&limit=1', 'count', 'http://evil.example/user_a', 'user_\ud800',
      ]) {
        assert.equal((await refusal(adapter, 'getUser', { userId: id })).code, 'invalid_arguments', JSON.stringify(id));
        await refusal(adapter, 'deleteOrganizationMembership', { organizationId: 'org_a', userId: id });
        await refusal(adapter, 'revokeInvitation', { invitationId: id });
      }
      for (const slug of ['', '..', 'a/b', 'a%2fb', 'a?b', 'a#b', '.', 'a\\b', '%2e%2e', 'a\u0000']) {
        await refusal(adapter, 'getOrganization', { slug });
      }
      assert.deepEqual(adapter.api.requests, []);
    });

    test('what is private or secret stays hidden at every depth', async (t) => {
      const answer = {
        object: 'user',
        id: 'user_a',
        private_metadata: { a: 'HIDDEN' },
        public_metadata: { private_metadata: { b: 'HIDDEN' }, link: 'https://x.example/?__clerk_ticket=HIDDEN' },
        nested: [{ privateMetadata: { c: 'HIDDEN' } }, { organization: { private_metadata: 'HIDDEN' } }],
        token: 'HIDDEN',
        password_digest: 'HIDDEN',
        totp_secret: 'HIDDEN',
        invitation: { object: 'invitation', url: 'https://x.example/v1/tickets/accept?ticket=HIDDEN' },
      };
      const adapter = await against(t, (_, response) => answerJson(response, 200, answer));
      const text = JSON.stringify(await call(adapter, 'getUser', { userId: 'user_a' }));
      assert.doesNotMatch(text, /HIDDEN/);
      assert.match(text, /\[redacted by clerk-mcp\]/);
      const open = await against(t, (_, response) => answerJson(response, 200, answer), { allowPrivateMetadata: true });
      const user = await call(open, 'getUser', { userId: 'user_a' });
      assert.deepEqual(user.private_metadata, { a: 'HIDDEN' });
      assert.equal(user.token, MARKER);
    });

    test('redaction markers are refused on write', async (t) => {
      const adapter = await open(t, {});
      for (const disguise of [MARKER, `see ${MARKER}`, MARKER.toUpperCase(), '[redacted\u200b by clerk-mcp]']) {
        for (const [tool, args] of [
          ['updateUserMetadata', { userId: AVA, publicMetadata: { a: [{ b: disguise }] } }],
          ['updateUser', { userId: AVA, firstName: disguise }],
          ['createOrganization', { name: 'x', publicMetadata: { [disguise]: 1 } }],
        ]) {
          const error = await refusal(adapter, tool, args);
          assert.equal(error.code, 'invalid_arguments');
          assert.match(error.message, /redact/i);
        }
      }
    });

    test('what strangers wrote comes back with deceiving characters escaped', async (t) => {
      const hidden = 'Eve\u200b\u202egnp.exe\u2066\u00ad\u{e0041}\u0007\u001b[31m\ufeff';
      const user = { id: AVA, first_name: hidden, public_metadata: { [`k${hidden}`]: hidden }, email_addresses: ['a@x.example'] };
      const adapter = await open(t, {}, ['--seed', seedFile(t, { users: [user] })]);
      for (const [tool, args] of [['getUser', { userId: AVA }], ['getUserList', {}], ['findUsers', {}]]) {
        const text = JSON.stringify(await call(adapter, tool, args));
        assert.doesNotMatch(text, /[\u200b\u202e\u2066\u00ad\ufeff\u{e0041}]/u);
        assert.match(text, /200b/i);
      }
      const failing = await against(t, (_, response) =>
        answerJson(response, 422, clerkError('form_param_value_invalid', `bad ${hidden}`)),
      );
      const error = await refusal(failing, 'getUser', { userId: 'user_a' });
      assert.doesNotMatch(JSON.stringify(error), /[\u200b\u202e\u2066\ufeff]/u);
    });

    test('readOnly wins', async (t) => {
      const adapter = await make({ secretKey: KEY, readOnly: true, tools: ['*', 'deleteOrganization'] });
      t.after(() => adapter.close());
      const names = name.startsWith('MCP') ? adapter.tools.map((tool) => tool.name) : Object.keys(adapter.toolkit.toolMap());
      assert.ok(names.includes('getUser'));
      assert.deepEqual(names.filter((tool) => /^(create|update|delete|revoke)/.test(tool)), []);
    });

    test('the secret key is in no result', async (t) => {
      const adapter = await against(t, (request, response) => {
        if (request.url.includes('user_html')) return answerJson(response, 200, `<html>${request.headers.authorization}`);
        return answerJson(response, 401, clerkError('clerk_key_invalid', `bad key ${request.headers.authorization}`));
      });
      for (const userId of ['user_html', 'user_denied']) {
        const error = await refusal(adapter, 'getUser', { userId });
        assert.ok(!JSON.stringify(error).includes(KEY), JSON.stringify(error));
      }
      assert.ok(adapter.api.requests.every((request) => request.headers.authorization === `Bearer ${KEY}`));
    });
  });
}
