// What a large store does to a token check: the same calls to a server that nobody has used, and to one in
// whose database are a hundred thousand grants and ten thousand sessions.

import { join } from 'node:path';
import { startClerkMcp } from './clerk-mcp.mjs';
import { writeGrants } from './people.mjs';
import { run } from './process.mjs';
import { fixed, percent, table, whole } from './tables.mjs';

const MOST_SLOWER = 0.1;
const EMPTY = 'empty';
const FULL = 'full';

export async function measureFullStore(programs, emulator, { grants, sessions, calls }, say) {
  const servers = {};
  try {
    for (const name of [EMPTY, FULL]) {
      say(`store: ${calls} people sign in (${name})`);
      const first = await startClerkMcp(programs, emulator, `store-${name}`, { limits: { calls_per_second: 0, max_sessions: 2 * sessions, max_sessions_per_person: 2 * sessions } });
      servers[name] = first;
      const tokens = join(first.folder, 'tokens');
      await writeGrants(first.origin, tokens, calls);
      await first.stop();
      if (name === FULL) {
        const file = join(first.folder, 'clerk-mcp.db');
        const flags = { '--file': file, '--grants': grants, '--sessions': sessions };
        await run([programs.fillStore, ...Object.entries(flags).flat().map(String)]);
      }
      servers[name] = { ...(await first.again()), tokens };
    }
    const flags = {
      '--url': servers[EMPTY].url, '--tokens': servers[EMPTY].tokens,
      '--other-url': servers[FULL].url, '--other-tokens': servers[FULL].tokens,
    };
    const took = await run([programs.firstLooks, ...Object.entries(flags).flat()]);
    return { grants, sessions, calls, rows: rowsOf(took) };
  } finally {
    await Promise.all(Object.values(servers).map((server) => server.stop()));
  }
}

function rowsOf({ one: empty, other: full }) {
  return ['first', 'known'].map((which) => ({
    which,
    empty: empty[which].p50_ms, full: full[which].p50_ms,
    emptyP99: empty[which].p99_ms, fullP99: full[which].p99_ms,
    slower: full[which].p50_ms / empty[which].p50_ms - 1,
  }));
}

export function fullStoreTables({ grants, sessions, calls, rows }) {
  const names = { first: 'a token that is seen for the first time', known: 'the same token again' };
  return table(
    `A call of \`add\` with an empty store, and with ${whole(grants)} grants and ${whole(sessions)} sessions in it; ${whole(calls)} tokens`,
    ['', 'empty, p50 ms', 'full, p50 ms', 'empty, p99 ms', 'full, p99 ms', 'slower by', 'target'],
    rows.map(({ which, empty, full, emptyP99, fullP99, slower }) => [
      names[which], fixed(empty, 3), fixed(full, 3), fixed(emptyP99, 3), fixed(fullP99, 3), percent(slower), `≤ ${MOST_SLOWER * 100} %`,
    ]),
  );
}
