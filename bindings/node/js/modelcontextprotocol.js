// An MCP server over the MCP SDK of the program that runs it, version 1 or 2.

import { readFileSync } from 'node:fs';
import { optionError } from './errors.js';
import { plainOptions, Toolkit } from './toolkit.js';

export * from './exported-errors.js';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));

/** Makes a server to connect to a transport. Its tools are those that `tools` names, or all. */
export async function createClerkMcpServer(given) {
  const { sdk, ...options } = plainOptions(given);
  const toolkit = await Toolkit.open(options);
  const listed = toolkit.definitions.map(({ category, ...tool }) => tool);
  const list = () => ({ tools: listed });
  const call = async ({ params }, context) => {
    const signal = context?.signal ?? context?.mcpReq?.signal;
    const { text, isError } = await toolkit.callForModel(params.name, params.arguments, signal);
    const structuredContent = JSON.parse(text);
    return { content: [{ type: 'text', text }], structuredContent, ...(isError && { isError }) };
  };
  const { Server, methods } = await loadSdk(sdk);
  const server = new Server({ name: 'clerk', version }, { capabilities: { tools: {} } });
  server.setRequestHandler(methods.list, list);
  server.setRequestHandler(methods.call, call);
  return server;
}

async function loadSdk(sdk) {
  if (sdk !== undefined && sdk !== 'v1' && sdk !== 'v2') throw optionError('`sdk` is neither "v1" nor "v2"');
  const loaded = (sdk !== 'v1' && (await version2())) || (sdk !== 'v2' && (await version1()));
  if (loaded) return loaded;
  const names = { v1: '@modelcontextprotocol/sdk', v2: '@modelcontextprotocol/server' };
  throw optionError(
    `${names[sdk] ?? `neither ${names.v2} nor ${names.v1}`} is installed`,
    `npm install ${names[sdk] ?? names.v2}`,
  );
}

async function version2() {
  const server = await importInstalled(() => import('@modelcontextprotocol/server'));
  return server && { Server: server.Server, methods: { list: 'tools/list', call: 'tools/call' } };
}

async function version1() {
  const server = await importInstalled(() => import('@modelcontextprotocol/sdk/server/index.js'));
  if (!server) return undefined;
  const types = await import('@modelcontextprotocol/sdk/types.js');
  return {
    Server: server.Server,
    methods: { list: types.ListToolsRequestSchema, call: types.CallToolRequestSchema },
  };
}

async function importInstalled(load) {
  try {
    return await load();
  } catch (error) {
    if (error.code === 'ERR_MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}
