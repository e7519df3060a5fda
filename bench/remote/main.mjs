// The remote benchmark: every measure in one run, the contenders taking turns.

import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { measureApiTools } from './lib/api-tools.mjs';
import { startEmulator } from './lib/clerk-mcp.mjs';
import { startAll } from './lib/contenders.mjs';
import { machine } from './lib/machine.mjs';
import { measureMemory } from './lib/memory.mjs';
import { prepare } from './lib/programs.mjs';
import { markdown } from './lib/report.mjs';
import { measureThroughput } from './lib/throughput.mjs';
import { measureTokens } from './lib/tokens.mjs';

const FULL = {
  throughput: { rounds: 5, seconds: 1, warmUp: 0.3 },
  tokens: { rounds: 5, pairs: 60, commits: 200 },
  apiTools: { blocks: 20, calls: 250 },
};
// A check that everything still runs and answers right.
const QUICK = {
  throughput: { rounds: 1, seconds: 0.3, warmUp: 0.1 },
  tokens: { rounds: 1, pairs: 20, commits: 50 },
  apiTools: { blocks: 2, calls: 50 },
};
const CONNECTIONS = [1, 32];
const TOKEN_CONNECTIONS = [1, 16];

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    'without-python': { type: 'boolean', default: false },
    json: { type: 'string' },
  },
});
const size = options.quick ? QUICK : FULL;
const say = (text) => process.stderr.write(`${text}\n`);

const programs = prepare();
const results = { machine: machine(programs), connections: CONNECTIONS };
let unwritten = 0;
try {
  const emulator = await startEmulator(programs);
  try {
    say('tools over an API');
    results.apiTools = await measureApiTools(programs, emulator, size.apiTools);
    say('memory');
    results.memory = await measureMemory(programs, emulator);
    const all = await startAll(programs, emulator);
    try {
      const throughput = { ...size.throughput, connections: CONNECTIONS };
      results.throughput = await measureThroughput(programs, all.contenders, throughput, say);
    } finally {
      await all.stop();
    }
    // Every call is audited. A row that found no room went to the log, and its call cost less.
    unwritten = (readFileSync(all.ours.log, 'utf8').match(/audit row could not be written/g) ?? []).length;
    results.tokens = await measureTokens(programs, emulator, { ...size.tokens, connections: TOKEN_CONNECTIONS }, say);
  } finally {
    await emulator.stop();
  }
} finally {
  programs.remove();
}

console.log(markdown(results));
console.log(`\nAudit rows that went to the log and not to the database: ${unwritten.toLocaleString('en-US')}.`);
if (options.json) writeFileSync(options.json, `${JSON.stringify(results, null, 2)}\n`);
