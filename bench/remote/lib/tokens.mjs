// Redemptions of codes and refreshes per second, beside what durable SQLite does on the same disk.

import { join } from 'node:path';
import { startClerkMcp } from './clerk-mcp.mjs';
import { run } from './process.mjs';
import { McpClient } from './sign-in.mjs';
import { median } from './statistics.mjs';

export async function measureTokens(programs, emulator, { rounds, pairs, commits, connections }, say) {
  const server = await startClerkMcp(programs, emulator, 'tokens');
  try {
    const client = await McpClient.register(server.origin);
    const sqlite = [];
    const blocks = [];
    for (let round = 0; round < rounds; round += 1) {
      say(`tokens: round ${round + 1} of ${rounds}`);
      for (const count of connections) {
        const forms = [];
        for (let made = 0; made < pairs; made += 1) forms.push(await client.codeForm());
        const flags = ['--url', `${server.origin}/token`, '--connections', String(count)];
        const took = await run([programs.tokenLoad, ...flags], { input: `${forms.join('\n')}\n` });
        blocks.push({ connections: count, ...took });
        // In the same breath, on the same disk: a busy one slows both.
        const file = join(server.folder, 'bare.db');
        sqlite.push(await run([programs.sqliteCommits, '--file', file, '--count', String(commits)]));
      }
    }
    const perSecond = median(sqlite.map((block) => block.per_second));
    return {
      commits: { perSecond, p50: median(sqlite.map((block) => block.p50_ms)) },
      rows: connections.map((count) => {
        const own = blocks.filter((block) => block.connections === count);
        const requests = median(own.map((block) => block.redemptions.per_second + block.refreshes.per_second));
        return {
          connections: count,
          perSecond: requests,
          redemption: median(own.map((block) => block.redemptions.p50_ms)),
          refresh: median(own.map((block) => block.refreshes.p50_ms)),
          toCommits: requests / perSecond,
        };
      }),
    };
  } finally {
    await server.stop();
  }
}
