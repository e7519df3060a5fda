// Everybody who answers `add`, and how they are called.

import { join } from 'node:path';
import { startClerkMcp } from './clerk-mcp.mjs';
import { startServer } from './process.mjs';
import { HERE } from './programs.mjs';
import { McpClient } from './sign-in.mjs';

/** The names, which are also the rows of the tables. */
export const AXUM = 'bare axum';
export const RMCP = 'bare rmcp';
export const RMCP_SESSIONS = 'bare rmcp, sessions';
export const OURS = 'clerk-mcp';
export const OURS_SESSIONS = 'clerk-mcp, sessions';
export const NODE = '@modelcontextprotocol/server';
export const PYTHON = 'FastMCP';

/** What every server but ours is started with. */
export function peers(programs) {
  const commands = {
    [AXUM]: [programs.bareAxum],
    [RMCP]: [programs.bareRmcp, 'stateless'],
    [RMCP_SESSIONS]: [programs.bareRmcp, 'sessions'],
    [NODE]: [process.execPath, join(HERE, 'peers/node-server.mjs')],
    ...(programs.python && { [PYTHON]: [programs.python, join(HERE, 'peers/python_server.py')] }),
  };
  return Object.entries(commands).map(([name, command]) => ({
    name,
    sessions: name === RMCP_SESSIONS,
    start: () => startServer(command, { log: join(programs.folder, `${name.replaceAll(/\W/g, '-')}.log`) }),
  }));
}

/** Starts everybody, or those who are named. Ours is one server that answers both kinds of clients. */
export async function startAll(programs, emulator, names) {
  const started = [];
  const stop = () => Promise.all(started.map((server) => server.stop()));
  try {
    const contenders = [];
    for (const { name, sessions, start } of peers(programs)) {
      if (names && !names.includes(name)) continue;
      const server = await start();
      started.push(server);
      contenders.push({ name, sessions, url: server.url });
    }
    const ours = await startClerkMcp(programs, emulator, names ? 'some' : 'everybody');
    started.push(ours);
    const token = await (await McpClient.register(ours.origin)).accessToken();
    await refusesStrangers(ours.url);
    contenders.push({ name: OURS, sessions: false, url: ours.url, token });
    contenders.push({ name: OURS_SESSIONS, sessions: true, url: ours.url, token });
    return { contenders, ours, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What is measured is a server that checks tokens. */
async function refusesStrangers(url) {
  const { status } = await fetch(url, { method: 'POST', body: '{}' });
  if (status !== 401) throw new Error(`a request without a token is answered with ${status}`);
}
