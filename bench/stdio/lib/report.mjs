// The results as Markdown tables.

import { BUDGET } from './listing.mjs';

const TARGETS = {
  startMs: 8,
  rssMb: 10,
  addedMs: 0.3,
};

export function markdown({ machine, start, listing, getUser, findUsers }) {
  return [
    facts(machine),
    startTable(start),
    memoryTable(start),
    getUserTable('seen by a native client', getUser.native),
    getUserTable('seen by a Node client', getUser.node),
    listingTable(listing),
    findUsersTable(findUsers),
  ].join('\n\n');
}

function facts(machine) {
  return (
    `${machine.date ?? 'undated'}, ${machine.cores} × ${machine.cpu}, ${machine.memoryGb} GB, ` +
    `Linux ${machine.kernel}, load ${machine.loadBefore.toFixed(2)} at the start; ` +
    `clerk-mcp ${machine.clerkMcp}${machine.commit ? ` (${machine.commit})` : ''}, @clerk/agent-toolkit ${machine.agentToolkit}, ` +
    `rmcp ${machine.rmcp}, Node ${machine.node}, rustc ${machine.rustc}.`
  );
}

function startTable(start) {
  const ours = start['clerk-mcp'].ms;
  const rows = Object.entries(start).map(([name, { ms }]) => [
    name, ms.n, fixed(ms.min, 1), fixed(ms.p50, 1), fixed(ms.p90, 1), ratio(ms.p50, ours.p50),
    name === 'clerk-mcp' ? `≤ ${TARGETS.startMs} median` : '',
  ]);
  return table(
    'Process start to `tools/list` answer, ms',
    ['', 'n', 'min', 'median', 'p90', 'to ours', 'target'],
    rows,
  );
}

function memoryTable(start) {
  const ours = start['clerk-mcp'].rssMb;
  const rows = Object.entries(start).map(([name, { rssMb, pssMb, anonymousMb }]) => [
    name, fixed(rssMb.min, 1), fixed(rssMb.p50, 1), fixed(rssMb.p90, 1), fixed(pssMb.p50, 1),
    fixed(anonymousMb.p50, 1), ratio(rssMb.p50, ours.p50),
    name === 'clerk-mcp' ? `≤ ${TARGETS.rssMb} median` : '',
  ]);
  return table(
    'Resident memory after that answer, MB',
    ['', 'RSS min', 'median', 'p90', 'PSS median', 'anonymous median', 'RSS to ours', 'target'],
    rows,
  );
}

function getUserTable(seenBy, results) {
  const raw = results['raw GET'].p50;
  const ours = results['clerk-mcp'].p50;
  const rows = Object.entries(results).map(([name, times]) => [
    name, times.n, ...[times.min, times.p50, times.p90, times.p99].map((ms) => fixed(ms, 3)),
    name === 'raw GET' ? '' : fixed(times.p50 - raw, 3), ratio(times.p50, ours),
    name === 'clerk-mcp' ? `≤ ${TARGETS.addedMs} over the raw GET` : '',
  ]);
  return table(
    `\`getUser\`, one after the other, ms, ${seenBy}`,
    ['', 'n', 'min', 'p50', 'p90', 'p99', 'p50 over the raw GET', 'p50 to ours', 'target'],
    rows,
  );
}

function listingTable(listing) {
  const rows = Object.entries(listing).map(([name, row]) => [
    name, row.tools, row.answerBytes, row.withOutputSchema, row.withoutOutputSchema,
    name === 'clerk-mcp' ? `≤ ${BUDGET.withOutputSchema} and ≤ ${BUDGET.withoutOutputSchema}` : '',
  ]);
  return table(
    '`tools/list`, bytes',
    ['', 'tools', 'whole answer', 'a tool, on average', 'without output schema', 'target'],
    rows,
  );
}

function findUsersTable(runs) {
  const rows = runs.map((run) => [
    `${run.instance}, ${run.limit} in 10 s`, run.users, fixed(run.seconds, 2), run.requests,
    run.refused, run.busiestWindow, fixed(run.rssBeforeMb, 1), fixed(run.peakRssMb, 1),
  ]);
  return table(
    '`findUsers` that reads everybody, clerk-mcp',
    [
      'rate limit', 'users', 'seconds', 'requests', '429 answers', 'most in 10 s', 'RSS before, MB',
      'peak RSS, MB',
    ],
    rows,
  );
}

function table(title, head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  const rule = head.map((_, column) => (column === 0 ? '---' : '---:'));
  return [`**${title}**`, '', line(head), line(rule), ...rows.map(line)].join('\n');
}

function fixed(number, digits) {
  return number.toFixed(digits);
}

function ratio(theirs, ours) {
  return `${(theirs / ours).toFixed(theirs < 10 * ours ? 1 : 0)}×`;
}
