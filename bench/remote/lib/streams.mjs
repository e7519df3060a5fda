// What idle sessions and streams cost the server: resident memory before and after thousands of them were
// opened by another process.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { startClerkMcp } from './clerk-mcp.mjs';
import { RMCP, RMCP_SESSIONS, peers } from './contenders.mjs';
import { writeTokens } from './people.mjs';
import { environment, residentMb } from './process.mjs';
import { fixed, table, whole } from './tables.mjs';
import { callTimes } from './throughput.mjs';

/** To bare rmcp, and kilobytes. */
const MOST_TO_RMCP = 1.3;
const MOST_KB = 25;
const CALLS = 1000;
/** Until the server has done what it does after the last one was opened. */
const REST_MS = 1500;
/** A person has at most 100 sessions through one client, and 200 streams. */
const STREAMS_EACH = 100;

const rest = () => new Promise((done) => setTimeout(done, REST_MS));

const KINDS = [
  { kind: 'sessions', name: 'a session of 2025-11-25', beside: RMCP_SESSIONS },
  { kind: 'session-streams', name: 'a session of 2025-11-25 with its stream', beside: RMCP_SESSIONS },
  { kind: 'sse', name: 'a session of HTTP+SSE, which is a stream', path: '/sse' },
  { kind: 'calls', name: 'a call of 2026-07-28 that streams', beside: RMCP },
];

export async function measureStreams(programs, emulator, { count }, say) {
  const rows = [];
  for (const { kind, name, beside, path } of KINDS) {
    say(`streams: ${count} × ${name}`);
    const row = { name, kind, count, ours: await ours(programs, emulator, kind, path, count) };
    const peer = peers(programs).find((known) => known.name === beside);
    if (peer) row.bare = await cost(programs, await peer.start(), peer, kind, { count });
    rows.push(row);
  }
  return { count, rows };
}

async function ours(programs, emulator, kind, path, count) {
  const server = await startClerkMcp(programs, emulator, `streams-${kind}`, {
    program: programs.benchServer,
    limits: {
      calls_per_second: 0, max_calls: 2 * count, max_calls_per_person: 2 * count, max_streams: 2 * count, max_sessions: 2 * count,
      max_streams_per_person: 2 * count, max_sessions_per_person: 2 * count, max_connections: 4 * count, max_connections_per_address: 4 * count,
    },
  });
  const file = join(server.folder, 'tokens');
  const [token] = await writeTokens(server.origin, file, Math.ceil(count / STREAMS_EACH));
  const url = path ? `${server.origin}${path}` : server.url;
  return cost(programs, server, { sessions: false, token }, kind, { count, url, tokens: file });
}

/** Kilobytes for each, and what the process had before. Ends the server. */
async function cost(programs, server, { sessions, token }, kind, { count, url = server.url, tokens }) {
  try {
    // What a first call loads, and what allocators keep of it, is no stream's.
    await callTimes(programs, { url: server.url, sessions, token }, CALLS);
    await rest();
    const before = residentMb(server.pid);
    const flags = ['--url', url, '--kind', kind, '--count', String(count), ...(tokens ? ['--tokens', tokens] : [])];
    const open = await openStreams([programs.mcpStreams, ...flags]);
    await rest();
    const after = residentMb(server.pid);
    const alive = await open.close();
    const wanted = kind === 'sessions' ? 0 : count;
    if (alive !== wanted) throw new Error(`of ${count} ${kind} ${alive} streams were open at the end`);
    return { before, after, each: ((after - before) * 1024) / count };
  } finally {
    await server.stop();
  }
}

/** Starts the program, and waits until it has opened them all. */
export async function openStreams(command) {
  const child = spawn(command[0], command.slice(1), { stdio: ['pipe', 'pipe', 'inherit'], env: environment() });
  const ended = once(child, 'exit');
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`${command.join(' ')} ended with ${(await ended)[0]}`);
    return JSON.parse(value);
  };
  await line();
  return {
    close: async () => {
      child.stdin.end();
      const { alive } = await line();
      await ended;
      return alive;
    },
  };
}

export function streamTables({ count, rows }) {
  const cells = rows.map(({ name, kind, ours: own, bare }) => [
    name,
    fixed(own.before, 1),
    fixed(own.after, 1),
    fixed(own.each, 1),
    bare ? fixed(bare.each, 1) : '',
    bare ? fixed(own.each / bare.each, 2) : '',
    kind.startsWith('session') ? `≤ ${MOST_TO_RMCP} × bare rmcp` : `≤ ${MOST_KB} KB`,
  ]);
  return table(
    `Resident memory of ${whole(count)} idle sessions or streams`,
    ['', 'before, MB', 'after, MB', 'each, KB', 'bare rmcp, KB', 'to bare rmcp', 'target'],
    cells,
  );
}
