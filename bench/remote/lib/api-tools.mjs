// What a tool over the owner's API adds to calling that API directly.

import { join } from 'node:path';
import { startClerkMcp } from './clerk-mcp.mjs';
import { run, startServer } from './process.mjs';
import { McpClient } from './sign-in.mjs';

// A credential that Clerk made: it is kept, so that no call asks for it.
const tools = (url) => `
[[access]]
everyone = true
tools = ["api.*"]

[api]
base_url = "${new URL('.', url).href.replace(/\/$/, '')}"
credential = "oauth"

[[tools]]
name = "listOrders"
description = "Lists orders."
method = "GET"
path = "/orders"
`;

export async function measureApiTools(programs, emulator, { blocks, calls }) {
  const log = join(programs.folder, 'api.log');
  const api = await startServer([programs.bareApi], { log, pattern: /http:\/\/\S+\/v1\/orders/ });
  try {
    const server = await startClerkMcp(programs, emulator, 'api-tools', { more: tools(api.url) });
    try {
      const token = await (await McpClient.register(server.origin)).accessToken();
      const flags = ['--api', api.url, '--mcp', server.url, '--blocks', String(blocks), '--calls', String(calls)];
      return await run([programs.apiToolLoad, ...flags], { env: { MCP_LOAD_TOKEN: token } });
    } finally {
      await server.stop();
    }
  } finally {
    await api.stop();
  }
}
