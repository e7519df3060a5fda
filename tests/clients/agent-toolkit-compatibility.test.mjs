// The 19 tools of @clerk/agent-toolkit 0.3.15: the same arguments make the same requests. The
// recording is not part of this repository; CLERK_SPEC_DIR names its folder.
//
// Differences on purpose: updateOrganization's second request merges (PATCH) where the old one
// replaced (PUT), getUserId and getUserCount answer objects, deleteOrganization succeeds, and links
// that let somebody in are redacted.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { BINARY, SPECIFICATIONS, environment, run } from './support/binary.mjs';
import { answerJson, startRecordingServer } from './support/recording-server.mjs';
import { call } from './support/tool-calls.mjs';

const RECORDING = join(SPECIFICATIONS, 'agent-toolkit-0.3.15-requests.json');
const SKIP = existsSync(RECORDING) ? false : `there is no ${RECORDING}: set CLERK_SPEC_DIR`;
const RECORDED = SKIP ? { tools: [], inputs: {} } : JSON.parse(readFileSync(RECORDING, 'utf8'));
const KEY = 'sk_test_compatibility0123456789';

const ORGANIZATION = {
  object: 'organization',
  id: 'org_a',
  name: 'A',
  slug: 'a',
  max_allowed_memberships: 5,
  public_metadata: {},
  private_metadata: { SECRET: 'org-private' },
  created_at: 1,
};
const USER = { object: 'user', id: 'user_a', public_metadata: {}, private_metadata: { SECRET: 'x' }, created_at: 1 };
const MEMBERSHIP = {
  object: 'organization_membership',
  id: 'orgmem_a',
  role: 'org:admin',
  permissions: [],
  public_metadata: {},
  private_metadata: { SECRET: 'x' },
  organization: ORGANIZATION,
  public_user_data: { user_id: 'user_a', identifier: 'a@x.test' },
  created_at: 1,
};
const INVITATION = {
  object: 'invitation',
  id: 'inv_a',
  email_address: 'a@x.test',
  status: 'pending',
  public_metadata: {},
  url: 'https://example.test/v1/tickets/accept?ticket=SECRETTICKET',
  created_at: 1,
};

function clerk({ method, url }, response) {
  const path = url.split('?')[0];
  const row =
    (path === '/v1/users/count' && { object: 'total_count', total_count: 7 }) ||
    (/\/memberships/.test(path) && MEMBERSHIP) ||
    (/\/organizations\/.*\/invitations/.test(path) && { ...INVITATION, object: 'organization_invitation', id: 'orginv_a' }) ||
    (/\/invitations/.test(path) && INVITATION) ||
    (method === 'DELETE' && { object: 'organization', id: 'org_a', deleted: true }) ||
    (/\/organizations/.test(path) && ORGANIZATION) ||
    USER;
  answerJson(response, 200, row);
}

async function connect(t, args, env) {
  const client = new Client({ name: 'compatibility-tests', version: '1.0.0' });
  const transport = new StdioClientTransport({ command: BINARY, args, env: environment(env), stderr: 'pipe' });
  let stderr = '';
  transport.stderr.on('data', (chunk) => (stderr += chunk));
  await client.connect(transport);
  t.after(() => client.close());
  await client.listTools();
  return { client, stderr: () => stderr };
}

test('the recording is here', { skip: SKIP }, () => assert.equal(RECORDED.tools.length, 19));

for (const { tool, arguments: args, http, result } of RECORDED.tools) {
  test(`${tool}: the requests of the old toolkit`, async (t) => {
    const api = await startRecordingServer(t, clerk);
    const { client } = await connect(t, ['stdio', '--api-url', api.url], { CLERK_SECRET_KEY: KEY });
    const answer = await call(client, tool, args);
    const sent = api.requests.map(({ method, url, body, headers }) => {
      assert.equal(headers.authorization, `Bearer ${KEY}`);
      assert.match(headers['clerk-api-version'], /^\d{4}-\d{2}-\d{2}$/);
      assert.match(headers['user-agent'], /^clerk-mcp\//);
      return { method, url, body, content_type: headers['content-type'] };
    });
    const expected = http.map((request, index) =>
      tool === 'updateOrganization' && index === 1 ? { ...request, method: 'PATCH' } : request,
    );
    assert.deepEqual(sent, expected);

    const text = JSON.stringify(answer);
    assert.doesNotMatch(text, /SECRET/);
    if (tool === 'getUserId') assert.deepEqual(answer, { userId: null });
    else if (tool === 'getUserCount') assert.equal(answer.total_count, 7);
    else if (tool === 'deleteOrganization') assert.equal(answer.deleted, true);
    else assert.equal(answer.id, JSON.parse(result.content[0].text).id);
  });

  test(`${tool}: the inputs of the old toolkit`, async (t) => {
    const { client } = await connect(t, ['stdio', '--emulate'], {});
    const { tools } = await client.listTools();
    const { inputSchema } = tools.find(({ name }) => name === tool);
    const old = RECORDED.inputs[tool];
    assert.deepEqual((inputSchema.required ?? []).toSorted(), old.required.toSorted());
    for (const [name, schema] of Object.entries(old.properties)) {
      const type = schema.type === 'number' ? 'integer' : schema.type;
      assert.equal(inputSchema.properties[name]?.type, type, name);
    }
  });
}

test('updateOrganization sends only what it needs', async (t) => {
  const api = await startRecordingServer(t, clerk);
  const { client } = await connect(t, ['stdio', '--api-url', api.url], { CLERK_SECRET_KEY: KEY });
  await call(client, 'updateOrganization', { organizationId: 'org_a', name: 'B' });
  await call(client, 'updateOrganization', { organizationId: 'org_a', publicMetadata: { a: 1 } });
  assert.deepEqual(
    api.requests.map(({ method, url }) => `${method} ${url}`),
    ['PATCH /v1/organizations/org_a', 'PATCH /v1/organizations/org_a/metadata'],
  );
});

test('updateOrganization says what was done when the second request fails', async (t) => {
  const api = await startRecordingServer(t, (request, response) => {
    if (request.url.endsWith('/metadata')) {
      const error = { code: 'form_param_value_too_large', message: 'is too large', long_message: 'too large' };
      answerJson(response, 422, { errors: [error], clerk_trace_id: 'trace_1' });
    } else {
      clerk(request, response);
    }
  });
  const { client } = await connect(t, ['stdio', '--api-url', api.url], { CLERK_SECRET_KEY: KEY });
  const result = await client.callTool({
    name: 'updateOrganization',
    arguments: { organizationId: 'org_a', name: 'B', publicMetadata: { a: 1 } },
  });
  assert.equal(result.isError, true);
  const { error } = result.structuredContent;
  assert.equal(error.code, 'form_param_value_too_large');
  assert.match(error.message, /UpdateOrganization was done, MergeOrganizationMetadata was not/);
  assert.match(error.hint, /only what is missing/);
  assert.equal(error.clerk_trace_id, 'trace_1');
});

for (const args of [
  ['-p', 'local-mcp', '--tools', 'users'],
  ['-p=local-mcp', '--tools', 'users'],
  ['--package=local-mcp', '-t', 'users.*'],
  ['--tools', 'users', '-p', 'local-mcp'],
  ['-p', 'local-mcp', '--tools', 'users.getUser users.getUserCount', '--api-url', 'http://127.0.0.1:9'],
]) {
  test(`an old command line works: ${args.join(' ')}`, async (t) => {
    const { client, stderr } = await connect(t, args, { CLERK_SECRET_KEY: KEY });
    const { tools } = await client.listTools();
    assert.ok(tools.some((tool) => tool.name === 'getUser'));
    assert.equal(tools.some((tool) => tool.name === 'getOrganization'), false);
    assert.equal(stderr(), '');
  });
}

for (const flag of ['--sk', '--secret-key', '--secretKey']) {
  test(`a key by ${flag} works and warns`, async (t) => {
    const api = await startRecordingServer(t, clerk);
    const { client, stderr } = await connect(t, ['-p', 'local-mcp', flag, KEY, '--api-url', api.url], {});
    await call(client, 'getUserCount');
    assert.equal(api.requests[0].headers.authorization, `Bearer ${KEY}`);
    assert.match(stderr(), /other users of this machine/);
    assert.ok(!stderr().includes(KEY));
  });
}

test('another package is refused by name', async () => {
  const { code, stderr } = await run(['-p', 'remote-mcp']);
  assert.equal(code, 2);
  assert.match(stderr, /remote-mcp[^]*hint: -p local-mcp/);
});
