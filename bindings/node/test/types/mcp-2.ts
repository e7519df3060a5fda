import { createClerkMcpServer } from 'clerk-agent-tools/modelcontextprotocol';
import { serveStdio, StdioServerTransport } from '@modelcontextprotocol/server/stdio';

const server = await createClerkMcpServer({ secretKey: '', tools: ['users', 'organizations'], sdk: 'v2' });
await server.connect(new StdioServerTransport());
await server.close();
serveStdio(() => createClerkMcpServer({ readOnly: true }));
