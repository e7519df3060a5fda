// The tool `add` on @modelcontextprotocol/server: stateless, JSON answers, no sign-in.

import { createServer } from 'node:http';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import * as z from 'zod';

const number = z.number();
const inputSchema = z.object({ a: number, b: number });
const outputSchema = z.object({ sum: number });

const handler = createMcpHandler(() => {
  const server = new McpServer({ name: 'node-peer', version: '1.0.0' });
  server.registerTool('add', { description: 'Adds two numbers.', inputSchema, outputSchema }, ({ a, b }) => ({
    content: [{ type: 'text', text: String(a + b) }],
    structuredContent: { sum: a + b },
  }));
  return server;
}, { responseMode: 'json' });

// Node sets TCP_NODELAY on every connection by itself.
const server = createServer(toNodeHandler(handler));
server.keepAliveTimeout = 600_000;
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}/mcp`));
