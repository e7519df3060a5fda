// The results as Markdown tables, and the targets.

import { AXUM, NODE, OURS, OURS_SESSIONS, PYTHON, RMCP, RMCP_SESSIONS } from './contenders.mjs';
import { fixed, table, whole } from './tables.mjs';

const ORDER = [AXUM, RMCP, OURS, RMCP_SESSIONS, OURS_SESSIONS, NODE, PYTHON];
const MOST_MEMORY_MB = 25;
const MOST_ADDED_MS = 0.5;

export function throughputTables({ throughput, connections }) {
  const present = ORDER.filter((name) => throughput.blocks.some((block) => block.name === name));
  return [
    ...connections.map((count) => throughputTable(throughput, present, count)),
    ratioTable(throughput, present, connections),
  ].join('\n\n');
}

function throughputTable(throughput, names, count) {
  const rows = names.map((name) => {
    const { perSecond, lowest, highest, p50, p99 } = throughput.of(name, count);
    return [name, whole(perSecond), `${whole(lowest)}–${whole(highest)}`, fixed(p50, 3), fixed(p99, 3)];
  });
  const title = `\`tools/call\` of \`add\`, ${count} connection${count === 1 ? '' : 's'}`;
  return table(title, ['', 'calls per second', 'in each round', 'p50, ms', 'p99, ms'], rows);
}

/** Each target: of what, to what, how it reads, and whether it is met. */
function targets(names) {
  return [
    ['per_second', OURS, AXUM, null],
    ['per_second', OURS, RMCP, { least: 0.8 }],
    ['per_second', OURS_SESSIONS, RMCP_SESSIONS, { least: 0.8 }],
    ['per_second', OURS, NODE, { least: 12 }],
    ['per_second', OURS, PYTHON, { least: 30 }],
    ['p50_ms', OURS_SESSIONS, OURS, { most: 1.5 }],
  ].filter(([, , other]) => names.includes(other));
}

function ratioTable(throughput, names, connections) {
  const rows = targets(names).map(([field, name, other, target]) => [
    `${name} to ${other}, ${field === 'p50_ms' ? 'p50' : 'calls per second'}`,
    ...connections.map((count) => `${fixed(throughput.ratio(field, name, other, count), 2)}`),
    wanted(target),
  ]);
  const columns = connections.map((count) => `${count} connection${count === 1 ? '' : 's'}`);
  return table('Ratios, the median of those of each round', ['', ...columns, 'target'], rows);
}

function wanted(target) {
  if (!target) return '';
  return target.least ? `≥ ${target.least}` : `≤ ${target.most} at 32`;
}

export function memoryTable(memory) {
  const names = ORDER.filter((name) => memory[name]);
  const rows = names.map((name) => [
    name, fixed(memory[name].started, 1), fixed(memory[name].called, 1),
    name === OURS ? `≤ ${MOST_MEMORY_MB}` : '',
  ]);
  return table('Resident memory of the idle process, MB', ['', 'after the start', 'after 1,000 calls', 'target'], rows);
}

export function tokenTable({ commits, rows }) {
  return table(
    'Redemptions and refreshes, as many of each, on durable SQLite',
    ['', 'per second', 'to bare commits', 'redemption p50, ms', 'refresh p50, ms'],
    [
      ['bare SQLite commits, one after the other', whole(commits.perSecond), '1.00', `${fixed(commits.p50, 3)} a commit`, ''],
      ...rows.map((row) => [
        `${OURS}, ${row.connections} connection${row.connections === 1 ? '' : 's'}`,
        whole(row.perSecond), fixed(row.toCommits, 2), fixed(row.redemption, 2), fixed(row.refresh, 2),
      ]),
    ],
  );
}

export function apiToolTable({ direct, tool }) {
  const row = (name, { calls, p50_ms: p50, p99_ms: p99 }, target) => [
    name, whole(calls), fixed(p50, 3), fixed(p99, 3), fixed(p50 - direct.p50_ms, 3), target,
  ];
  return table(
    'An API, called directly and through a tool over it, 1 connection',
    ['', 'calls', 'p50, ms', 'p99, ms', 'p50 over the direct call, ms', 'target'],
    [
      row('directly', direct, ''),
      row(`${OURS}, credential "oauth"`, tool, `≤ ${MOST_ADDED_MS}`),
    ],
  );
}
