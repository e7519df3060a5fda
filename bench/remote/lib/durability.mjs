// What it costs that sessions outlive the process: the same server with sessions in SQLite, as it always
// has them, and in memory.

import { startClerkMcp } from './clerk-mcp.mjs';
import { McpClient } from './sign-in.mjs';
import { median } from './statistics.mjs';
import { percent, table, whole } from './tables.mjs';
import { load } from './throughput.mjs';

const MOST_COST = 0.15;
const DURABLE = 'durable';
const MEMORY = 'in memory';
const CONNECTIONS = 32;
const WORK = [
  { name: 'calls in sessions', flags: { '--work': 'add' }, isJudged: true },
  { name: 'sessions of 100 calls, opened and ended', flags: { '--work': 'whole', '--calls-each': 100 }, isJudged: true },
  { name: 'sessions of 1 call, opened and ended', flags: { '--work': 'whole', '--calls-each': 1 } },
  { name: 'calls that stream a message', flags: { '--work': 'progress' } },
];

export async function measureDurability(programs, emulator, { rounds, seconds }, say) {
  const servers = [];
  try {
    for (const [name, args] of [[DURABLE, []], [MEMORY, ['--sessions-in-memory']]]) {
      const server = await startClerkMcp(programs, emulator, `sessions-${args.length}`, { program: programs.benchServer, args });
      const token = await (await McpClient.register(server.origin)).accessToken();
      servers.push({ name, url: server.url, token, sessions: true, stop: server.stop });
    }
    const blocks = [];
    // The first round is thrown away.
    for (let round = 0; round <= rounds; round += 1) {
      say(`sessions: round ${round} of ${rounds}`);
      for (const { name: work, flags: own } of WORK) {
        for (const server of round % 2 ? servers : servers.toReversed()) {
          const flags = { ...own, '--connections': CONNECTIONS, '--seconds': seconds, '--warm-up': 0.2 };
          const took = await load(programs, server, flags);
          if (round > 0) blocks.push({ name: server.name, work, ...took });
        }
      }
    }
    return WORK.map(({ name, isJudged }) => {
      const of = (who) => blocks.filter((block) => block.work === name && block.name === who).map((block) => block.per_second);
      const memory = of(MEMORY);
      const shares = of(DURABLE).map((durable, index) => durable / memory[index]);
      return { name, isJudged, durable: median(of(DURABLE)), memory: median(memory), cost: 1 - median(shares) };
    });
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
}

export function durabilityTables(rows) {
  return table(
    `Sessions that outlive the process, and sessions in memory; ${CONNECTIONS} connections, per second`,
    ['', 'durable', 'in memory', 'durability costs', 'target'],
    rows.map(({ name, durable, memory, cost, isJudged }) => [
      name, whole(durable), whole(memory), percent(cost), isJudged ? `≤ ${MOST_COST * 100} %` : '',
    ]),
  );
}
