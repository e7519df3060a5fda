// Whether a client that asks for much slows another: a quiet one alone, and beside it.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startClerkMcp } from './clerk-mcp.mjs';
import { pace } from './latency.mjs';
import { McpClient } from './sign-in.mjs';
import { median } from './statistics.mjs';
import { openStreams } from './streams.mjs';
import { fixed, table, whole } from './tables.mjs';
import { load } from './throughput.mjs';

const MOST_P99_MS = 5;
/** Calls per second. */
const QUIET_RATE = 50;
/** The default of `limits.calls_per_second`. */
const ALLOWED_RATE = 100;
/** Of the 256 calls that a client may have under way. */
const WAITING = 200;
const CONNECTIONS = 32;

export async function measureNeighbours(programs, emulator, { rounds, seconds }, say) {
  // Every limit is as it is by default.
  const server = await startClerkMcp(programs, emulator, 'neighbours', { program: programs.benchServer, limits: {} });
  try {
    const client = async (person) => ({
      url: server.url, sessions: false, token: await (await McpClient.register(server.origin)).accessToken(person),
    });
    const [quiet, moderate, greedy] = [await client(0), await client(1), await client(2)];
    const tokens = join(server.folder, 'moderate');
    writeFileSync(tokens, `${moderate.token}\n`);
    const quietly = () => pace(programs, quiet, { rate: QUIET_RATE, seconds, connections: 2 });
    const cases = [
      { name: 'alone', noise: async () => ({}) },
      {
        name: `beside a client with ${WAITING} calls open and ${ALLOWED_RATE} more a second, as much as it may`,
        noise: async (listen) => {
          const flags = ['--url', server.url, '--kind', 'calls', '--count', String(WAITING), '--tokens', tokens];
          const open = await openStreams([programs.mcpStreams, ...flags]);
          const [asked] = await Promise.all([
            pace(programs, moderate, { rate: ALLOWED_RATE, seconds, connections: 8 }),
            listen(),
          ]);
          const alive = await open.close();
          if (alive !== WAITING) throw new Error(`of ${WAITING} calls ${alive} were still open`);
          return { answered: asked.per_second, refused: 0 };
        },
      },
      {
        name: `beside one that calls as fast as ${CONNECTIONS} connections go`,
        noise: async (listen) => {
          const flags = { '--connections': CONNECTIONS, '--seconds': seconds, '--warm-up': 0.5, '--refusals': true };
          const [asked] = await Promise.all([load(programs, greedy, flags), listen()]);
          if (asked.refused === 0) throw new Error('whoever calls without end is refused nothing');
          return { answered: asked.per_second, refused: asked.refused / asked.seconds };
        },
      },
    ];
    const blocks = [];
    for (let round = 0; round < rounds; round += 1) {
      say(`neighbours: round ${round + 1} of ${rounds}`);
      for (const { name, noise } of cases) {
        let heard;
        const made = await noise(async () => (heard = await quietly()));
        blocks.push({ name, ...made, quiet: heard ?? (await quietly()) });
      }
    }
    return cases.map(({ name }) => {
      const own = blocks.filter((block) => block.name === name);
      const figure = (field) => median(own.map((block) => block.quiet[field]));
      const noise = (field) => median(own.map((block) => block[field] ?? 0));
      return { name, p50: figure('p50_ms'), p99: figure('p99_ms'), answered: noise('answered'), refused: noise('refused') };
    });
  } finally {
    await server.stop();
  }
}

export function neighbourTables(rows) {
  return table(
    `A client that calls \`add\` ${QUIET_RATE} times a second`,
    ['', 'p50, ms', 'p99, ms', 'the other is answered, per second', 'and refused, per second', 'target'],
    rows.map(({ name, p50, p99, answered, refused }, index) => [
      name, fixed(p50, 3), fixed(p99, 3), whole(answered), whole(refused), index === 0 ? '' : `p99 < ${MOST_P99_MS}`,
    ]),
  );
}
