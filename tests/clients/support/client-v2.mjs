// The official TypeScript client, version 2, over the binary.

import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { BINARY, environment } from './binary.mjs';

/** Connects to `clerk-mcp stdio …`; the connection is closed after the test. */
export async function connect(t, args, { options = {}, prepare = () => {}, env = {} } = {}) {
  const client = new Client({ name: 'client-v2-tests', version: '1.0.0' }, options);
  prepare(client);
  const transport = new StdioClientTransport({
    command: BINARY,
    args: ['stdio', ...args],
    env: environment(env),
    stderr: 'ignore',
  });
  await client.connect(transport);
  t.after(() => client.close());
  return client;
}
