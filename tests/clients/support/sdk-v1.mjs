// The official TypeScript client, version 1, over the binary.

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { BINARY, environment } from './binary.mjs';

/** Connects to `clerk-mcp stdio …`; the connection is closed after the test. */
export async function connect(t, args, { capabilities = {}, env = {}, prepare = () => {} } = {}) {
  const client = new Client({ name: 'sdk-v1-tests', version: '1.0.0' }, { capabilities });
  prepare(client);
  const transport = new StdioClientTransport({
    command: BINARY,
    args: ['stdio', ...args],
    env: environment(env),
    stderr: 'pipe',
  });
  let stderr = '';
  transport.stderr.on('data', (chunk) => (stderr += chunk));
  await client.connect(transport);
  t.after(() => client.close());
  return { client, transport, stderr: () => stderr };
}
