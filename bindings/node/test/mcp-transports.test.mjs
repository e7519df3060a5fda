// The MCP server over real transports, as a program of its own.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { FOLDER, load } from './support/consumers.mjs';
import { environment, startEmulator } from './support/emulator.mjs';
import { AVA } from './support/seed.mjs';

const PROGRAMS = {
  'mcp-1': `import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
    import { createClerkMcpServer } from 'clerk-agent-tools/modelcontextprotocol';
    const server = await createClerkMcpServer({ tools: ['users'] });
    await server.connect(new StdioServerTransport());`,
  'mcp-2': `import { serveStdio } from '@modelcontextprotocol/server/stdio';
    import { createClerkMcpServer } from 'clerk-agent-tools/modelcontextprotocol';
    serveStdio(() => createClerkMcpServer({ tools: ['users'] }));`,
};
const STDIO = { 'mcp-1': '@modelcontextprotocol/sdk/client/stdio.js', 'mcp-2': '@modelcontextprotocol/client/stdio' };
const CLIENT = { 'mcp-1': '@modelcontextprotocol/sdk/client/index.js', 'mcp-2': '@modelcontextprotocol/client' };

for (const [consumer, program] of Object.entries(PROGRAMS)) {
  test(`${consumer}: a program that serves standard input and output`, async (t) => {
    const emulator = await startEmulator(t);
    const path = join(FOLDER, consumer, 'server.js');
    writeFileSync(path, program);
    const { Client } = await load(consumer, CLIENT[consumer]);
    const { StdioClientTransport } = await load(consumer, STDIO[consumer]);
    const client = new Client({ name: 'tests', version: '1.0.0' });
    const env = environment({ CLERK_SECRET_KEY: 'sk_test_emulate', CLERK_API_URL: emulator.url });
    await client.connect(new StdioClientTransport({ command: process.execPath, args: [path], env }));
    t.after(() => client.close());
    const { tools } = await client.listTools();
    assert.equal(tools.length, 10);
    const { structuredContent } = await client.callTool({ name: 'getUser', arguments: { userId: AVA } });
    assert.equal(structuredContent.first_name, 'Ava');
    const wrong = await client.callTool({ name: 'getUser', arguments: { userId: 'x' } });
    assert.equal(wrong.isError, true);
    assert.equal(wrong.structuredContent.error.code, 'invalid_arguments');
    const unknown = await client.callTool({ name: 'getOrganization', arguments: {} });
    assert.equal(unknown.structuredContent.error.code, 'unknown_tool');
  });
}
