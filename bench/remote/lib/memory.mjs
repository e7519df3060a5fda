// Resident memory of idle processes: right after the start, and after a thousand calls.

import { startClerkMcp } from './clerk-mcp.mjs';
import { OURS, peers } from './contenders.mjs';
import { residentMb } from './process.mjs';
import { McpClient } from './sign-in.mjs';
import { callTimes } from './throughput.mjs';

const CALLS = 1000;
/** Until what was asked for at the start is done, and allocators have given back what they do. */
const REST_MS = 1000;

const rest = () => new Promise((done) => setTimeout(done, REST_MS));

export async function measureMemory(programs, emulator) {
  const rows = {};
  for (const { name, sessions, start } of peers(programs)) {
    rows[name] = await measure(programs, await start(), async ({ url }) => ({ url, sessions }));
  }
  rows[OURS] = await measure(programs, await startClerkMcp(programs, emulator, 'memory'), async ({ url, origin }) => ({
    url,
    sessions: false,
    token: await (await McpClient.register(origin)).accessToken(),
  }));
  return rows;
}

async function measure(programs, server, prepare) {
  try {
    await rest();
    const started = residentMb(server.pid);
    await callTimes(programs, await prepare(server), CALLS);
    await rest();
    return { started, called: residentMb(server.pid) };
  } finally {
    await server.stop();
  }
}
