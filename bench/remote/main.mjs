// The remote benchmark: every measure in one run, the contenders taking turns.

import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { measureApiTools } from './lib/api-tools.mjs';
import { startEmulator } from './lib/clerk-mcp.mjs';
import { startAll } from './lib/contenders.mjs';
import { writeTables } from './lib/document.mjs';
import { durabilityTables, measureDurability } from './lib/durability.mjs';
import { fullStoreTables, measureFullStore } from './lib/full-store.mjs';
import { latencyTables, measureLatency } from './lib/latency.mjs';
import { machine } from './lib/machine.mjs';
import { measureMemory } from './lib/memory.mjs';
import { measureNeighbours, neighbourTables } from './lib/neighbours.mjs';
import { prepare } from './lib/programs.mjs';
import { apiToolTable, memoryTable, throughputTables, tokenTable } from './lib/report.mjs';
import { measureStreams, streamTables } from './lib/streams.mjs';
import { measureThroughput } from './lib/throughput.mjs';
import { measureTokens } from './lib/tokens.mjs';

const CONNECTIONS = [1, 32];

/** What is measured: how, its size in a full run and in a check that everything still runs, its tables. */
const SECTIONS = {
  'api-tools': {
    full: { blocks: 20, calls: 250 },
    quick: { blocks: 2, calls: 50 },
    measure: measureApiTools,
    tables: apiToolTable,
  },
  memory: { full: {}, quick: {}, measure: measureMemory, tables: memoryTable },
  throughput: {
    full: { rounds: 5, seconds: 1, warmUp: 0.3, connections: CONNECTIONS },
    quick: { rounds: 1, seconds: 0.3, warmUp: 0.1, connections: CONNECTIONS },
    measure: throughputOfAll,
    tables: (result) => `${throughputTables(result)}\n\n${unwrittenRows(result.unwritten)}`,
  },
  tokens: {
    full: { rounds: 5, pairs: 60, commits: 200, connections: [1, 16] },
    quick: { rounds: 1, pairs: 20, commits: 50, connections: [1, 16] },
    measure: measureTokens,
    tables: tokenTable,
  },
  streams: {
    full: { count: 10_000 },
    quick: { count: 200 },
    measure: measureStreams,
    tables: streamTables,
  },
  latency: {
    full: { rounds: 5, seconds: 5 },
    quick: { rounds: 1, seconds: 0.5 },
    measure: measureLatency,
    tables: latencyTables,
  },
  'full-store': {
    full: { grants: 100_000, sessions: 10_000, calls: 2_000 },
    quick: { grants: 5_000, sessions: 500, calls: 20 },
    measure: measureFullStore,
    tables: fullStoreTables,
  },
  durability: {
    full: { rounds: 5, seconds: 2 },
    quick: { rounds: 1, seconds: 1 },
    measure: measureDurability,
    tables: durabilityTables,
  },
  neighbours: {
    full: { rounds: 5, seconds: 5 },
    quick: { rounds: 1, seconds: 1 },
    measure: measureNeighbours,
    tables: neighbourTables,
  },
};

const USAGE = `Measures \`clerk-mcp serve\`: see docs/BENCHMARKS.md, "The remote server".

  bench/remote/run [--only NAME,…] [--quick] [--without-python] [--json FILE] [--document]

  --only NAME,…      measures these alone: ${Object.keys(SECTIONS).join(', ')}
  --quick            small numbers: a check that everything still runs and answers right
  --without-python   leaves Python's server out, as --quick and --only do
  --json FILE        keeps every number
  --document         writes the tables into docs/BENCHMARKS.md, in place of the last ones

CLERK_MCP_BIN=FILE measures that binary (relative to the repository) instead of a fresh build, and
CLERK_MCP_BENCH_SERVER_BIN=FILE is the same for the server with a tool that waits.
`;

async function throughputOfAll(programs, emulator, size, say) {
  const all = await startAll(programs, emulator);
  let throughput;
  try {
    throughput = await measureThroughput(programs, all.contenders, size, say);
  } finally {
    await all.stop();
  }
  // Every call is audited. A row that found no room went to the log, and its call cost less.
  const unwritten = readFileSync(all.ours.log, 'utf8').match(/audit row could not be written/g) ?? [];
  return { throughput, connections: size.connections, unwritten: unwritten.length };
}

function unwrittenRows(count) {
  return `Audit rows that went to the log and not to the database: ${count.toLocaleString('en-US')}.`;
}

/** Beside tables of another run these say where they are from. */
function ofTheirOwnRun({ machine: line, ...others }) {
  return Object.fromEntries(Object.entries(others).map(([name, text]) => [name, `Of a run of its own: ${line}\n\n${text}`]));
}

function parse() {
  try {
    const { values } = parseArgs({
      options: {
        only: { type: 'string', default: Object.keys(SECTIONS).join(',') },
        quick: { type: 'boolean', default: false },
        'without-python': { type: 'boolean', default: false },
        json: { type: 'string' },
        document: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    if (values.help) {
      process.stdout.write(USAGE);
      process.exit(0);
    }
    const names = values.only.split(',');
    const unknown = names.filter((name) => !SECTIONS[name]);
    if (unknown.length > 0) throw new Error(`there is no measure ${unknown.join(', ')}`);
    if (values.document && values.quick) throw new Error('--quick measures too little for --document');
    return { ...values, names: Object.keys(SECTIONS).filter((name) => names.includes(name)) };
  } catch (error) {
    process.stderr.write(`${error.message}\n\n${USAGE}`);
    process.exit(2);
  }
}

const options = parse();
const say = (text) => process.stderr.write(`${text}\n`);
const programs = prepare();
const results = { machine: machine(programs) };
const tables = { machine: `${results.machine}.` };
console.log(tables.machine);
try {
  const emulator = await startEmulator(programs);
  try {
    for (const name of options.names) {
      say(name);
      const section = SECTIONS[name];
      results[name] = await section.measure(programs, emulator, options.quick ? section.quick : section.full, say);
      tables[name] = section.tables(results[name]);
      console.log(`\n${tables[name]}`);
    }
  } finally {
    await emulator.stop();
  }
} finally {
  programs.remove();
}
if (options.json) writeFileSync(options.json, `${JSON.stringify(results, null, 2)}\n`);
if (options.document) {
  const isWhole = options.names.length === Object.keys(SECTIONS).length;
  writeTables(isWhole ? tables : ofTheirOwnRun(tables));
}
