// Calls per second, and how long each takes: everybody in turn, several times over.

import { run } from './process.mjs';
import { median } from './statistics.mjs';

export async function measureThroughput(programs, contenders, { rounds, seconds, warmUp, connections }, say) {
  const blocks = [];
  // The first round is thrown away: it is for the compilers of V8 and for caches.
  for (let round = 0; round <= rounds; round += 1) {
    say(`round ${round} of ${rounds}`);
    for (const count of connections) {
      for (let turn = 0; turn < contenders.length; turn += 1) {
        // Nobody always comes after the same.
        const contender = contenders[(turn + round) % contenders.length];
        const options = { '--connections': count, '--seconds': seconds, '--warm-up': warmUp };
        const result = await load(programs, contender, options);
        if (round > 0) blocks.push({ name: contender.name, connections: count, round, ...result });
      }
    }
  }
  return {
    blocks,
    of: (name, count) => {
      const own = blocks.filter((block) => block.name === name && block.connections === count);
      const figure = (field) => own.map((block) => block[field]);
      return {
        perSecond: median(figure('per_second')),
        lowest: Math.min(...figure('per_second')),
        highest: Math.max(...figure('per_second')),
        p50: median(figure('p50_ms')),
        p99: median(figure('p99_ms')),
      };
    },
    /** The median of what a field of one is to that of the other in the same round. */
    ratio: (field, name, other, count) => {
      const rows = (who) => blocks.filter((block) => block.name === who && block.connections === count);
      const others = rows(other);
      return median(rows(name).map((block, index) => block[field] / others[index][field]));
    },
  };
}

/** Some calls, one after the other. */
export async function callTimes(programs, contender, calls) {
  await load(programs, contender, { '--calls': calls });
}

/** Calls as fast as answers come. */
export async function load({ mcpLoad }, { url, sessions, token }, options) {
  const flags = { '--url': url, '--sessions': sessions, ...options };
  return run([mcpLoad, ...Object.entries(flags).flat().map(String)], { env: token ? { MCP_LOAD_TOKEN: token } : {} });
}
