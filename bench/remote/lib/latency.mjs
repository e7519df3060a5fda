// How long calls take at half the rate that the server can do at most, sent when they are due and not
// when the one before is answered.

import { startAll, OURS, OURS_SESSIONS, RMCP, RMCP_SESSIONS } from './contenders.mjs';
import { run } from './process.mjs';
import { median } from './statistics.mjs';
import { fixed, table, whole } from './tables.mjs';
import { load } from './throughput.mjs';

const MOST_P99_MS = 5;
const CONNECTIONS = 32;
const NAMES = [OURS, OURS_SESSIONS, RMCP, RMCP_SESSIONS];

export async function measureLatency(programs, emulator, { rounds, seconds }, say) {
  const all = await startAll(programs, emulator, NAMES);
  try {
    const blocks = [];
    for (let round = 0; round < rounds; round += 1) {
      say(`latency: round ${round + 1} of ${rounds}`);
      for (const contender of all.contenders) {
        const { per_second: peak } = await load(programs, contender, {
          '--connections': CONNECTIONS, '--seconds': Math.min(seconds, 2), '--warm-up': 0.3,
        });
        const paced = await pace(programs, contender, { rate: peak / 2, seconds, connections: CONNECTIONS });
        blocks.push({ name: contender.name, peak, ...paced });
      }
    }
    return NAMES.map((name) => {
      const own = blocks.filter((block) => block.name === name);
      const figure = (field) => median(own.map((block) => block[field]));
      return {
        name,
        peak: figure('peak'), rate: figure('per_second'),
        p50: figure('p50_ms'), p99: figure('p99_ms'), most: figure('most_ms'),
        worstP99: Math.max(...own.map((block) => block.p99_ms)),
      };
    });
  } finally {
    await all.stop();
  }
}

/** Calls at a fixed rate. */
export function pace({ mcpPaced }, { url, sessions = false, token }, { rate, seconds, connections }) {
  const flags = { '--url': url, '--sessions': sessions, '--rate': rate, '--seconds': seconds, '--connections': connections };
  return run([mcpPaced, ...Object.entries(flags).flat().map(String)], { env: token ? { MCP_LOAD_TOKEN: token } : {} });
}

export function latencyTables(rows) {
  return table(
    `\`add\` at half the peak rate, ${CONNECTIONS} connections; a call's time counts from when it was due`,
    ['', 'peak, per second', 'sent, per second', 'p50, ms', 'p99, ms', 'p99 of the worst round, ms', 'longest, ms', 'target'],
    rows.map(({ name, peak, rate, p50, p99, worstP99, most }) => [
      name, whole(peak), whole(rate), fixed(p50, 3), fixed(p99, 3), fixed(worstP99, 3), fixed(most, 1),
      name.startsWith(OURS) ? `p99 < ${MOST_P99_MS}` : '',
    ]),
  );
}
