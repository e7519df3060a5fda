// The command line: `tools`, `call`, and a sentence for everything that can be wrong.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { BINARY, environment, run } from './support/binary.mjs';
import { answerJson, clerkError, startRecordingServer } from './support/recording-server.mjs';
import { AVA, LUMEN, NORTHWIND, seedFile } from './support/seed.mjs';

const KEY = 'sk_test_0123456789abcdefghij';

/** Runs a command under a pseudo-terminal, with what a person types. */
function onTerminal(args, input = '') {
  const quoted = [BINARY, ...args].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
  const ran = spawnSync('script', ['-qec', quoted, '/dev/null'], { env: environment(), input, encoding: 'utf8', timeout: 60_000 });
  return { code: ran.status, text: ran.stdout.replaceAll('\r', '') };
}

const HAS_SCRIPT = spawnSync('script', ['--version']).status === 0;
const NO_TERMINAL = HAS_SCRIPT ? false : 'there is no `script` to make a terminal with';

describe('tools', () => {
  test('prints a table', async () => {
    const { code, stdout } = await run(['tools']);
    assert.equal(code, 0);
    const lines = stdout.trim().split('\n');
    assert.match(lines[0], /^TOOL +CATEGORY +ANNOTATIONS +BYTES$/);
    assert.match(stdout, /^deleteOrganization +organizations +destructive, idempotent +\d+$/m);
    assert.match(lines.at(-1), /^27 tools, \d+ bytes$/);
  });

  test('--json prints what an MCP client gets', async () => {
    const { code, stdout } = await run(['tools', '--json', '--tools', 'users']);
    assert.equal(code, 0);
    const tools = JSON.parse(stdout);
    assert.equal(tools.length, 10);
    assert.ok(tools.every((tool) => tool.inputSchema && tool.outputSchema && tool.annotations && tool.title));
  });

  test('needs no key, takes every form of pattern, and a reader may leave', async () => {
    for (const [pattern, count] of [
      ['*', 27],
      ['users', 10],
      ['users.*', 10],
      ['users.getUserCount', 1],
      ['users invitations', 13],
      ['users,invitations', 13],
    ]) {
      const { stdout } = await run(['tools', '--json', '--tools', pattern]);
      assert.equal(JSON.parse(stdout).length, count, pattern);
    }
    const repeated = await run(['tools', '--json', '-t', 'users', '-t', 'invitations', '-t', 'users']);
    assert.equal(JSON.parse(repeated.stdout).length, 13);
    const left = spawnSync('bash', ['-c', `set -o pipefail; '${BINARY}' tools | head -1`], { encoding: 'utf8' });
    assert.deepEqual([left.status, left.stderr], [0, '']);
  });
});

describe('call', () => {
  test('--tools takes one value, and leaves the tool its place', async () => {
    for (const args of [['--tools', 'users', 'getUserCount'], ['getUserCount', '-t', 'users,invitations'], ['-t', 'users', '-t', 'invitations', 'getUserCount']]) {
      const { code, stdout, stderr } = await run(['call', '--emulate', ...args]);
      assert.equal(code, 0, stderr);
      assert.ok(JSON.parse(stdout).total_count > 0, args.join(' '));
    }
    const { code, stderr } = await run(['call', '--emulate', '--tools', 'users', 'invitations', 'getUserCount']);
    assert.equal(code, 2);
    assert.match(stderr, /"getUserCount" is no argument\nhint: the tool comes first, and here that is "invitations"; .*--tools users,organizations/);
  });

  test('prints JSON into a pipe', async () => {
    const { code, stdout } = await run(['call', 'getUserList', 'limit=3', '--emulate']);
    assert.equal(code, 0);
    assert.equal(JSON.parse(stdout).data.length, 3);
    assert.equal(stdout.trim().split('\n').length, 1);
  });

  test('takes lists, booleans, JSON, a JSON object and standard input', async () => {
    const emulated = async (args, input) => {
      const { code, stdout, stderr } = await run(['call', ...args, '--emulate'], { input });
      assert.equal(code, 0, stderr);
      return JSON.parse(stdout);
    };
    const list = await emulated(['getUserList', `userId=${AVA}`, 'fields=/id,/first_name', 'banned=false']);
    assert.deepEqual(list.data, [{ id: AVA, first_name: 'Ava' }]);
    const found = await emulated(['findUsers', 'where:=[{"pointer":"/public_metadata/plan","equals":"enterprise"}]', 'maxResults=2']);
    assert.equal(found.data.length, 2);
    const json = JSON.stringify({ userId: AVA, fields: ['/id'] });
    assert.deepEqual(await emulated(['getUser', '--json', json]), { id: AVA });
    assert.deepEqual(await emulated(['getUser', '--json', '-'], json), { id: AVA });
    const time = await emulated(['getUserCount', 'createdAtAfter=100d']);
    assert.equal(time.total_count, 8);
    const metadata = await emulated(['updateUserPublicMetadata', `userId=${AVA}`, 'metadata={"a":{"b":[1]}}']);
    assert.deepEqual(metadata.public_metadata.a, { b: [1] });
  });

  test('names what is wrong with arguments', async () => {
    for (const [args, code, words] of [
      [['getUserList', 'limit'], 2, /"limit" is no argument[^]*hint: write name=value/],
      [['getUserList', 'limit=1', 'limit=2'], 2, /"limit" is given twice/],
      [['getUserList', 'limit:=x'], 2, /"limit" is no JSON/],
      [['getUserList', '--json', '[1]'], 2, /no JSON object[^]*hint:/],
      [['getUserList', '--json', '{'], 2, /no JSON: /],
      [['getUserList', 'limit=1', '--json', '{}'], 2, /cannot be used with/],
      [['getUserList', 'limit=many'], 2, /`limit`/],
      [['getUserList', 'colour=red'], 2, /`colour`/],
      [['getUser'], 2, /`userId` is missing/],
      [['getUser', 'userId=org_1'], 2, /user_/],
      [['getUsers'], 2, /no tool "getUsers"[^]*hint:/],
      [['deleteEverything'], 2, /no tool/],
      [[], 2, /TOOL/],
    ]) {
      const ran = await run(['call', ...args, '--emulate']);
      assert.equal(ran.code, code, `${args.join(' ')}: ${ran.stderr}`);
      assert.match(ran.stderr, words, args.join(' '));
    }
  });

  test('of what is not there says so, with the trace id', async () => {
    const { code, stdout, stderr } = await run(['call', 'getUser', 'userId=user_nobody', '--emulate']);
    assert.equal(code, 1);
    assert.equal(JSON.parse(stdout).error.code, 'resource_not_found');
    assert.match(stderr, /clerk-mcp: .*404.*\n.*trace id: [0-9a-f]{32}\nhint: .*sk_test_/s);
  });

  test('writes audit rows to a file', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'clerk-mcp-audit-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const file = join(folder, 'audit.jsonl');
    for (const args of [['getUser', `userId=${AVA}`], ['getUser', 'userId=user_nobody']]) {
      await run(['call', ...args, '--emulate', '--audit-log', file]);
    }
    const rows = readFileSync(file, 'utf8').trim().split('\n').map(JSON.parse);
    assert.deepEqual(rows.map((row) => [row.tool, row.outcome]), [['getUser', 'ok'], ['getUser', 'resource_not_found']]);
    const nowhere = await run(['call', 'getUserId', '--emulate', '--audit-log', join(folder, 'no/such/folder')]);
    assert.equal(nowhere.code, 2);
    assert.match(nowhere.stderr, /no\/such\/folder/);
  });

  test('takes nothing away in a pipe without --yes', async () => {
    for (const when of ['auto', 'always']) {
      const refused = await run(['call', 'deleteOrganization', `organizationId=${LUMEN}`, '--emulate', '--confirm', when]);
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /must confirm[^]*hint: .*-y/);
    }
    const sure = await run(['call', 'deleteOrganization', `organizationId=${LUMEN}`, '--emulate', '--confirm', 'always', '--yes']);
    assert.equal(sure.code, 0, sure.stderr);
  });
});

describe('on a terminal', { skip: NO_TERMINAL }, () => {
  test('a list is a table and an object is indented text', () => {
    const list = onTerminal(['call', 'getUserList', 'limit=2', '--emulate']);
    assert.equal(list.code, 0);
    assert.match(list.text, /^ID +.*FIRST NAME +.*CREATED/m);
    assert.match(list.text, /2 shown; more remain/);
    const one = onTerminal(['call', 'getOrganization', `organizationId=${NORTHWIND}`, '--emulate']);
    assert.match(one.text, /^name: Northwind Metrics$/m);
    assert.match(one.text, /^created_at: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$/m);
  });

  test('a destructive call asks', () => {
    const target = ['call', 'deleteOrganization', `organizationId=${LUMEN}`, '--emulate'];
    const no = onTerminal(target, 'n\n');
    assert.equal(no.code, 1);
    assert.match(no.text, /Delete organization\?[^]*organization: "Lumen[^]*\[y\/N\][^]*declined/);
    const nothing = onTerminal(target, '\n');
    assert.equal(nothing.code, 1);
    const yes = onTerminal(target, 'y\n');
    assert.equal(yes.code, 0);
    assert.match(yes.text, /deleted: true/);
  });

  test('text written by strangers cannot steer the terminal', (t) => {
    const name = 'Eve\u001b[2J\u001b]0;owned\u0007\u202e';
    const seed = seedFile(t, { users: [{ first_name: name, email_addresses: ['e@x.example'] }] }, 'json');
    for (const call of [['getUserList'], ['findUsers', 'fields=/first_name']]) {
      const { text } = onTerminal(['call', ...call, '--emulate', '--seed', seed]);
      assert.match(text, /Eve/);
      assert.doesNotMatch(text, /\u001b\[2J|\u001b\]0|\u0007|\u202e/);
    }
  });
});

describe('the key', () => {
  for (const [name, env, args, words] of [
    ['missing', {}, [], /no Clerk secret key\nhint: .*CLERK_SECRET_KEY.*--emulate/s],
    ['empty', { CLERK_SECRET_KEY: '  ' }, [], /no Clerk secret key/],
    ['publishable', { CLERK_SECRET_KEY: 'pk_test_ZXhhbXBsZQ' }, [], /CLERK_SECRET_KEY: .*publishable[^]*hint:/],
    ['without prefix', { CLERK_SECRET_KEY: 'abcdefgh12345678' }, [], /sk_test_/],
    ['in quotes', { CLERK_SECRET_KEY: '"sk_test_abc"' }, [], /quot|sk_test_/],
    ['on the command line, publishable', {}, ['--secret-key', 'pk_live_xxxxxxxxxxxxxxxx'], /--secret-key: .*publishable/],
    ['with a line break', { CLERK_SECRET_KEY: 'sk_test_abc\r\nX-Evil: 1' }, [], /CLERK_SECRET_KEY: /],
  ]) {
    test(`${name}: exit code 2 and a sentence`, async () => {
      for (const command of [['stdio'], ['call', 'getUserCount']]) {
        const { code, stdout, stderr } = await run([...command, ...args], { env });
        assert.equal(code, 2, stderr);
        assert.match(stderr, words);
        assert.equal(stdout, '');
        assert.ok(!stderr.includes('abcdefgh12345678') && !stderr.includes('ZXhhbXBsZQ'), stderr);
      }
    });
  }
});

describe('flags', () => {
  for (const [args, words] of [
    [['tools', '--org', NORTHWIND], /--user/],
    [['tools', '--role', 'org:admin'], /--user/],
    [['stdio', '--emulate', '--secret-key', KEY], /cannot be used with/],
    [['stdio', '--seed', 'x.toml'], /--emulate/],
    [['stdio', '--emulate', '--seed', '/no/such/seed.toml'], /\/no\/such\/seed\.toml/],
    [['stdio', '--emulate', '--confirm', 'maybe'], /auto, always, never/],
    [['stdio', '--api-url', 'ftp://x'], /https:\/\//],
    [['stdio', '--api-url', 'https://user:pw@x.example'], /user name or password/],
    [['stdio', '--api-url', 'https://x.example?y'], /query/],
    [['stdio', '--api-url', 'nonsense'], /--api-url: .*not a valid URL/],
    [['stdio', '--tool', 'users'], /--tools/],
    [['stdio', '--tools', 'users', 'invitations'], /unexpected argument 'invitations'[^]*'--tools' takes one value; write several as '--tools users,invitations'/],
    [['tools', '-t=users', 'invitations', '--json'], /write several as '--tools users,invitations'/],
    [['frobnicate'], /frobnicate/],
    [[], /Usage/],
  ]) {
    test(`${args.join(' ') || 'nothing'}: exit code 2`, async () => {
      const { code, stderr } = await run(args, { env: { CLERK_SECRET_KEY: KEY } });
      assert.equal(code, 2, stderr);
      assert.match(stderr, words);
      assert.doesNotMatch(stderr, /panicked|:pw@/);
    });
  }

  for (const [text, extension, words] of [
    ['users = 7', 'toml', /users/],
    ['{', 'json', /seed/],
    ['colour = "red"', 'toml', /colour/],
    ['users:\n - first_name: [', 'yaml', /yaml|Yaml/i],
    ['x', 'txt', /toml|yaml|json/i],
    ['[[organizations]]\nname = "A"\nslug = "a"\n[[organizations.members]]\nuser = "user_nobody"\nrole = "org:member"\n', 'toml', /user_nobody/],
  ]) {
    test(`a seed that is wrong is named: ${JSON.stringify(text.slice(0, 20))}`, async (t) => {
      const path = seedFile(t, text, extension);
      const { code, stderr } = await run(['call', 'getUserCount', '--emulate', '--seed', path]);
      assert.equal(code, 2, stderr);
      assert.match(stderr, words);
      assert.ok(stderr.includes(path), stderr);
    });
  }

  for (const [name, value] of [
    ['CLERK_MCP_LOG', 'loud'],
    ['CLERK_API_VERSION', 'yesterday'],
    ['CLERK_API_URL', 'http://example.com'],
  ]) {
    test(`${name}=${value}: exit code 2 and its name`, async () => {
      const { code, stderr } = await run(['call', 'getUserCount'], { env: { CLERK_SECRET_KEY: KEY, [name]: value } });
      assert.equal(code, 2, stderr);
      assert.match(stderr, new RegExp(`${name}[^]*hint:`));
    });
  }

  test('CLERK_API_VERSION=v1 is what Clerk’s SDKs take', async () => {
    const { code, stderr } = await run(['call', 'getUserCount', '--emulate'], { env: { CLERK_API_VERSION: 'v1' } });
    assert.equal(code, 0, stderr);
  });

  test('--help and --version', async () => {
    for (const command of [['--help'], ['stdio', '--help'], ['call', '--help'], ['tools', '--help'], ['emulate', '--help']]) {
      const { code, stdout } = await run(command);
      assert.equal(code, 0, command.join(' '));
      assert.match(stdout, /Usage/);
    }
    assert.match((await run(['--version'])).stdout, /^clerk-mcp \d+\.\d+\.\d+\n$/);
  });
});

describe('what Clerk can answer', () => {
  const callWith = async (t, answer, { args = ['getUser', 'userId=user_a'], timeoutMs } = {}) => {
    const api = await startRecordingServer(t, answer);
    const ran = await run(['call', ...args, '--api-url', api.url], { env: { CLERK_SECRET_KEY: KEY }, timeoutMs });
    assert.ok(!(ran.stdout + ran.stderr).includes(KEY), 'the key is never shown');
    return { ...ran, requests: api.requests };
  };

  for (const [status, code, words] of [
    [400, 'bad_request', /400/],
    [401, 'clerk_key_invalid', /401[^]*hint: check the secret key/],
    [402, 'feature_not_enabled', /402[^]*hint: .*plan/],
    [403, 'not_allowed', /403[^]*hint: /],
    [404, 'resource_not_found', /404[^]*hint: correct first_name: .*development/],
    [409, 'conflict', /409/],
    [422, 'form_param_invalid', /422[^]*hint: correct/],
  ]) {
    test(`${status}: one request, its code and a sentence`, async (t) => {
      const body = clerkError(code, 'is wrong', { meta: { param_name: 'first_name' } });
      const { code: exit, stdout, stderr, requests } = await callWith(t, (_, response) => answerJson(response, status, body));
      assert.equal(exit, 1);
      assert.equal(requests.length, 1);
      const { error } = JSON.parse(stdout);
      assert.deepEqual([error.code, error.status, error.clerk_trace_id], [code, status, 'trace_0123456789abcdef']);
      assert.match(stderr, words);
    });
  }

  test('429: Retry-After is kept to, then the answer is used', async (t) => {
    let first = true;
    const start = Date.now();
    const { code, requests } = await callWith(t, (_, response) => {
      if (!first) return answerJson(response, 200, { object: 'user', id: 'user_a' });
      first = false;
      answerJson(response, 429, clerkError('too_many_requests', 'slow down'), { 'retry-after': '1' });
    });
    assert.equal(code, 0);
    assert.equal(requests.length, 2);
    assert.ok(Date.now() - start >= 1000);
  });

  test('429 with a long Retry-After: says how long to wait', async (t) => {
    const { code, stdout, stderr, requests } = await callWith(t, (_, response) =>
      answerJson(response, 429, clerkError('too_many_requests', 'slow down'), { 'retry-after': '3600' }),
    );
    assert.equal(code, 1);
    assert.equal(requests.length, 1);
    assert.equal(JSON.parse(stdout).error.retry_after, 3600);
    assert.match(stderr, /wait 3600 s/);
  });

  test('500: a read is repeated, a write is not', async (t) => {
    const fail = (_, response) => answerJson(response, 500, clerkError('internal_clerk_error', 'oops'));
    const read = await callWith(t, fail);
    assert.equal(read.code, 1);
    assert.equal(read.requests.length, 3);
    assert.match(read.stderr, /safe to repeat/);
    const write = await callWith(t, fail, { args: ['updateUser', 'userId=user_a', 'firstName=x'] });
    assert.equal(write.requests.length, 1);
    assert.match(write.stderr, /may have been made/);
  });

  for (const [name, answer, words] of [
    ['no JSON', (_, response) => answerJson(response, 200, '<html>hello</html>'), /not JSON/],
    ['an empty body', (_, response) => answerJson(response, 200, ''), /not a JSON object/],
    ['half a JSON', (_, response) => answerJson(response, 200, '{"object":"user","id":'), /not JSON/],
    ['a list for an object', (_, response) => answerJson(response, 200, '[]'), /not a JSON object/],
    ['null', (_, response) => answerJson(response, 200, 'null'), /not a JSON object/],
    ['an error page', (_, response) => answerJson(response, 502, '<html>bad gateway</html>'), /502/],
    ['a not-found of something else', (_, response) => answerJson(response, 404, 'not here'), /something other than Clerk/],
    ['a redirect', (_, response) => answerJson(response, 301, '{}', { location: 'https://example.com/' }), /redirect/],
    ['errors that are none', (_, response) => answerJson(response, 422, '{"errors": "x"}'), /422/],
  ]) {
    test(`${name}: exit code 1 and a sentence`, async (t) => {
      const { code, stderr } = await callWith(t, answer);
      assert.equal(code, 1, stderr);
      assert.match(stderr, words);
      assert.match(stderr, /hint: /);
      assert.doesNotMatch(stderr, /panicked/);
    });
  }

  test('a connection that breaks off', async (t) => {
    const { code, stderr } = await callWith(t, (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '500' });
      response.write('{"object":');
      setTimeout(() => response.destroy(), 20);
    });
    assert.equal(code, 1);
    assert.match(stderr, /hint: /);
  });

  test('no server at all', async () => {
    for (const url of ['http://127.0.0.1:1', 'http://[::1]:1', 'https://127.0.0.1:1']) {
      const { code, stdout, stderr } = await run(['call', 'getUserCount', '--api-url', url], { env: { CLERK_SECRET_KEY: KEY } });
      assert.equal(code, 1);
      assert.equal(JSON.parse(stdout).error.code, 'connection_failed');
      assert.match(stderr, /could not connect[^]*hint: nothing was sent/);
    }
  });

  test('a host that does not exist', async () => {
    const { code, stderr } = await run(['call', 'getUserCount', '--api-url', 'https://clerk.invalid'], {
      env: { CLERK_SECRET_KEY: KEY },
    });
    assert.equal(code, 1);
    assert.match(stderr, /clerk\.invalid[^]*hint: /);
  });

  test('a server that speaks something else', async (t) => {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.end('SSH-2.0-OpenSSH_9.9\r\n');
    });
    await new Promise((done) => server.listen(0, '127.0.0.1', done));
    t.after(() => server.close());
    const { code, stderr } = await run(['call', 'getUserCount', '--api-url', `http://127.0.0.1:${server.address().port}`], {
      env: { CLERK_SECRET_KEY: KEY },
    });
    assert.equal(code, 1);
    assert.match(stderr, /hint: /);
  });

  test('a slow server is waited for', async (t) => {
    const { code } = await callWith(t, (_, response) => {
      setTimeout(() => answerJson(response, 200, { object: 'user', id: 'user_a' }), 3000);
    });
    assert.equal(code, 0);
  });

  test('SIGTERM while waiting: exit code and a sentence', async (t) => {
    const api = await startRecordingServer(t, () => {});
    const { spawn } = await import('node:child_process');
    const child = spawn(BINARY, ['call', 'getUser', 'userId=user_a', '--api-url', api.url], {
      env: environment({ CLERK_SECRET_KEY: KEY }),
    });
    let stderr = '';
    child.stderr.on('data', (chunk) => (stderr += chunk));
    while (api.requests.length === 0) await new Promise((done) => setTimeout(done, 10));
    child.kill('SIGTERM');
    const code = await new Promise((done) => child.on('close', done));
    assert.equal(code, 1);
    assert.match(stderr, /stopped by SIGTERM/);
  });
});
