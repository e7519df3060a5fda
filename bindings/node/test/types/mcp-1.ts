import { createClerkMcpServer } from 'clerk-agent-tools/modelcontextprotocol';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';

const server = await createClerkMcpServer({ secretKey: '', tools: ['users', 'organizations'], sdk: 'v1' });
await server.connect(new StdioServerTransport());
await server.close();
