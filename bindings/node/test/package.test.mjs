// The package as a new user gets it: packed, installed into a fresh folder, imported, started.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { cpSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { until } from '../../../tests/support/until.mjs';
import { environment, startEmulator } from './support/emulator.mjs';
import { AVA } from './support/seed.mjs';

const run = promisify(execFile);
const PACKAGE = resolve(import.meta.dirname, '..');
const PLATFORM = join(PACKAGE, 'npm/linux-x64-gnu');

let folder;
let packed;
let installed;
const npm = (args, cwd) => run('npm', [...args, '--no-audit', '--no-fund', '--loglevel=error'], { cwd, env: environment(), maxBuffer: 1 << 26 });

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'clerk-agent-tools-'));
  for (const from of [PACKAGE, PLATFORM]) await npm(['pack', '--pack-destination', folder], from);
  packed = readdirSync(folder).map((name) => join(folder, name));
  installed = join(folder, 'app');
  mkdirSync(installed);
  writeFileSync(join(installed, 'package.json'), '{"name": "app", "version": "1.0.0", "type": "module"}');
  await npm(['install', ...packed], installed);
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a module in the folder, as a file of its own. */
async function script(text, env = {}, cwd = installed) {
  writeFileSync(join(cwd, 'script.js'), text);
  const { stdout } = await run(process.execPath, ['script.js'], { cwd, env: environment(env) });
  return stdout;
}

function start(args, env = {}) {
  const child = spawn(process.execPath, [join(installed, 'node_modules/.bin/clerk-mcp'), ...args], {
    env: environment(env),
    cwd: installed,
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => (output.stdout += chunk));
  child.stderr.on('data', (chunk) => (output.stderr += chunk));
  const ended = new Promise((done) => child.on('close', (code, signal) => done({ code, signal, ...output })));
  return { child, output, ended };
}

const INITIALIZE = JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'tests', version: '1' } },
});

describe('what is packed', () => {
  test('is small and complete', () => {
    const files = [];
    const walk = (path) => {
      for (const name of readdirSync(path)) {
        const inside = join(path, name);
        if (statSync(inside).isDirectory()) walk(inside);
        else files.push(inside.slice(join(installed, 'node_modules/clerk-agent-tools').length + 1));
      }
    };
    walk(join(installed, 'node_modules/clerk-agent-tools'));
    assert.ok(files.includes('README.md'));
    assert.ok(files.includes('bin/clerk-mcp.js'));
    assert.deepEqual(files.filter((file) => /^(src|test|bench|npm|Cargo)/.test(file)), []);
    const { dependencies } = JSON.parse(readFileSync(join(PACKAGE, 'package.json'), 'utf8'));
    assert.equal(dependencies, undefined);
    const modules = readdirSync(join(installed, 'node_modules')).filter((name) => !name.startsWith('.'));
    assert.deepEqual(modules.sort(), ['clerk-agent-tools', 'clerk-agent-tools-linux-x64-gnu']);
  });

  test('has the version of the crate everywhere', () => {
    const main = JSON.parse(readFileSync(join(PACKAGE, 'package.json'), 'utf8'));
    const platform = JSON.parse(readFileSync(join(PLATFORM, 'package.json'), 'utf8'));
    const workspace = readFileSync(join(PACKAGE, '../../Cargo.toml'), 'utf8').match(/^version = "(.+)"/m)[1];
    assert.equal(main.version, workspace);
    assert.equal(platform.version, workspace);
    assert.deepEqual(new Set(Object.values(main.optionalDependencies)), new Set([workspace]));
  });
});

describe('an import', () => {
  test('of the core needs nothing else', async (t) => {
    const emulator = await startEmulator(t);
    const output = await script(
      `import { createClerkToolkit } from 'clerk-agent-tools';
       const toolkit = await createClerkToolkit();
       console.log((await toolkit.call('getUser', { userId: '${AVA}' })).first_name);`,
      { CLERK_SECRET_KEY: 'sk_test_emulate', CLERK_API_URL: emulator.url },
    );
    assert.equal(output, 'Ava\n');
  });

  test('of the AI SDK adapter needs no AI SDK to load', async () => {
    const output = await script(
      `import { createClerkToolkit } from 'clerk-agent-tools/ai-sdk';
       const toolkit = await createClerkToolkit({ secretKey: 'sk_test_x' });
       console.log(Object.keys(toolkit.invitations()).join());`,
    );
    assert.equal(output, 'getInvitationList,createInvitation,revokeInvitation\n');
  });

  test('of the LangChain adapter names the package that is missing', async () => {
    await assert.rejects(script(`import 'clerk-agent-tools/langchain';`), /@langchain\/core/);
  });

  test('of the MCP adapter says what to install', async () => {
    const output = await script(
      `import { createClerkMcpServer } from 'clerk-agent-tools/modelcontextprotocol';
       for (const sdk of [undefined, 'v1', 'v2', 'v3'])
         await createClerkMcpServer({ secretKey: 'sk_test_x', sdk }).catch((error) => console.log(error.message));`,
    );
    assert.match(output, /neither @modelcontextprotocol\/server nor @modelcontextprotocol\/sdk is installed\nhint: npm install/);
    assert.match(output, /`sdk` is neither/);
  });

  test('ends by itself, with no thread left waiting', async () => {
    // Somebody who waits would do so for ever, and this test with them.
    await script(`import { createClerkToolkit } from 'clerk-agent-tools';
      const toolkit = await createClerkToolkit({ secretKey: 'sk_test_x', apiUrl: 'http://127.0.0.1:1' });
      await toolkit.call('createOrganization', { name: 'x', createdBy: 'user_a' }).catch(() => {});`);
  });

  test('ends at once when told to, with calls under way', async (t) => {
    const emulator = await startEmulator(t);
    for (const end of ['process.exit(7)', "process.kill(process.pid, 'SIGTERM')"]) {
      const failure = await script(
        `import { createClerkToolkit } from 'clerk-agent-tools';
         const toolkit = await createClerkToolkit({ secretKey: 'sk_test_emulate', apiUrl: '${emulator.url}' });
         for (let n = 0; n < 500; n += 1) toolkit.call('getUser', { userId: '${AVA}' });
         setTimeout(() => ${end}, 30);`,
      ).catch((error) => error);
      assert.ok(failure.code === 7 || failure.signal === 'SIGTERM', `${end}: ${failure.code} ${failure.signal} ${failure.stderr}`);
    }
  });

  test('of all entry points together is the same module', async () => {
    const output = await script(
      `import { ClerkToolkitError } from 'clerk-agent-tools';
       import { ClerkToolkitError as again, createClerkToolkit } from 'clerk-agent-tools/ai-sdk';
       console.log(ClerkToolkitError === again, await createClerkToolkit().catch((error) => error instanceof again));`,
    );
    assert.equal(output, 'true true\n');
  });

  test('works in worker threads, and after they have ended', async (t) => {
    const emulator = await startEmulator(t);
    const output = await script(
      `import { Worker, isMainThread } from 'node:worker_threads';
       import { createClerkToolkit } from 'clerk-agent-tools';
       const toolkit = await createClerkToolkit({ secretKey: 'sk_test_emulate', apiUrl: '${emulator.url}' });
       const name = async () => (await toolkit.call('getUser', { userId: '${AVA}' })).first_name;
       console.log(await name());
       if (isMainThread) {
         for (let n = 0; n < 3; n += 1) await new Promise((done) => new Worker(new URL(import.meta.url)).on('exit', done));
         const cut = new Worker(new URL(import.meta.url));
         setTimeout(() => cut.terminate(), 30);
         await new Promise((done) => cut.on('exit', done));
         console.log('then', await name());
       }`,
    );
    assert.match(output, /^Ava\nAva\nAva\nAva\n(Ava\n)?then Ava\n$/);
  });

  test('stays when something else is installed', async () => {
    const app = join(folder, 'stays');
    const other = join(folder, 'other');
    for (const made of [app, other]) mkdirSync(made);
    writeFileSync(join(app, 'package.json'), '{"name": "stays", "version": "1.0.0", "type": "module"}');
    writeFileSync(join(other, 'package.json'), '{"name": "other", "version": "1.0.0"}');
    await npm(['install', ...packed], app);
    const { stdout } = await npm(['pack', '--pack-destination', folder], other);
    await npm(['install', join(folder, stdout.trim())], app);
    assert.ok(!lstatSync(join(app, 'node_modules/clerk-agent-tools')).isSymbolicLink());
    const imported = `import { createClerkToolkit } from 'clerk-agent-tools'; console.log(typeof createClerkToolkit);`;
    assert.equal(await script(imported, {}, app), 'function\n');
  });

  test('as a link to a folder elsewhere says what to do', async () => {
    const app = join(folder, 'linked');
    const clone = join(folder, 'clone');
    cpSync(join(installed, 'node_modules/clerk-agent-tools'), clone, { recursive: true });
    mkdirSync(join(app, 'node_modules'), { recursive: true });
    writeFileSync(join(app, 'package.json'), '{"type": "module"}');
    symlinkSync(clone, join(app, 'node_modules/clerk-agent-tools'));
    cpSync(join(installed, 'node_modules/clerk-agent-tools-linux-x64-gnu'), join(app, 'node_modules/clerk-agent-tools-linux-x64-gnu'), { recursive: true });
    await assert.rejects(script(`import 'clerk-agent-tools';`, {}, app), (error) => {
      assert.match(error.stderr, /ERR_CLERK_NATIVE_MISSING/);
      assert.match(error.stderr, /is not found\nhint: clerk-agent-tools is a link to .*clone[^]*npm pack/);
      assert.doesNotMatch(error.stderr, /omit=optional/);
      return true;
    });
  });

  test('without the platform package says so', async () => {
    const bare = join(folder, 'bare');
    cpSync(join(installed, 'node_modules/clerk-agent-tools'), join(bare, 'node_modules/clerk-agent-tools'), { recursive: true });
    writeFileSync(join(bare, 'package.json'), '{"type": "module"}');
    await assert.rejects(script(`import 'clerk-agent-tools';`, {}, bare), /clerk-agent-tools-linux-x64-gnu or clerk-agent-tools-linux-x64-musl is not installed\nhint: [^]*omit=optional/);
    await assert.rejects(
      run(process.execPath, [join(bare, 'node_modules/clerk-agent-tools/bin/clerk-mcp.js'), '--version'], { env: environment() }),
      (error) => error.code === 1 && /^error: clerk-agent-tools: the package/.test(error.stderr),
    );
    cpSync(join(installed, 'node_modules/clerk-agent-tools-linux-x64-gnu'), join(bare, 'node_modules/clerk-agent-tools-linux-x64-gnu'), { recursive: true });
    writeFileSync(join(bare, 'node_modules/clerk-agent-tools-linux-x64-gnu/clerk-agent-tools.node'), 'garbage');
    await assert.rejects(script(`import 'clerk-agent-tools';`, {}, bare), /cannot load its build for linux-x64/);
  });
});

describe('clerk-mcp', () => {
  test('is the binary: output and exit code', async () => {
    const version = await start(['--version']).ended;
    assert.equal(version.code, 0);
    assert.match(version.stdout, /^clerk-mcp \d+\.\d+\.\d+\n$/);
    const wrong = await start(['stdio', '--tools', 'nothing', '--emulate']).ended;
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /nothing/);
  });

  test('serves the old command line', async () => {
    const server = start(['-p', 'local-mcp', '--tools', 'users'], { CLERK_SECRET_KEY: 'sk_test_x' });
    server.child.stdin.write(`${INITIALIZE}\n${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' })}\n`);
    server.child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id: 2, method: 'tools/list' })}\n`);
    await until('the answer', () => server.output.stdout.includes('"id":2'));
    server.child.stdin.end();
    const { code, stdout } = await server.ended;
    assert.equal(code, 0);
    const { result } = stdout.trim().split('\n').map((line) => JSON.parse(line)).find((message) => message.id === 2);
    assert.equal(result.tools.length, 10);
  });

  test('is what npx finds', async () => {
    const { stdout } = await npm(['exec', '--yes', '--', 'clerk-agent-tools', '--version'], installed);
    assert.match(stdout, /^clerk-mcp \d/);
    const child = spawn('npx', ['-y', 'clerk-agent-tools', '-p', 'local-mcp', '--tools', 'users'], {
      cwd: installed,
      env: environment({ CLERK_SECRET_KEY: 'sk_test_x' }),
    });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stdin.write(`${INITIALIZE}\n`);
    await until('the first line', () => output.includes('\n'));
    child.stdin.end();
    assert.equal(await new Promise((done) => child.on('close', done)), 0);
    assert.equal(JSON.parse(output).id, 1);
  });

  for (const [signal, codes] of [['SIGTERM', [0, 143]], ['SIGINT', [0, 130]], ['SIGHUP', [0, 129]]]) {
    test(`passes ${signal} on`, { timeout: 120_000 }, async () => {
      const server = start(['emulate', '--port', '0']);
      await until('the address', () => /http:[^]*\n/.test(server.output.stdout + server.output.stderr));
      const url = (server.output.stdout + server.output.stderr).match(/http:\/\/127\.0\.0\.1:\d+/)[0];
      server.child.kill(signal);
      const { code } = await server.ended;
      assert.ok(codes.includes(code), `${code}`);
      await assert.rejects(fetch(`${url}/v1/users/count`), 'the binary has ended too');
    });
  }
});

test('the license is there', () => assert.ok(existsSync(join(PACKAGE, 'LICENSE'))));
