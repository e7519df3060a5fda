// `findUsers` over many users, with the rate limit of a development instance and of a production one,
// and over a quarter of them, which shows whether memory grows with the number of users.
//
// The condition holds for one user in the middle, so that everybody must be read.

import { readFileSync } from 'node:fs';
import { busiestWindow, startCountingProxy } from './counting-proxy.mjs';
import { seedOf, startEmulator } from './emulator.mjs';
import { McpProcess } from './mcp-process.mjs';
import { environment } from './programs.mjs';
import { megabytes } from './start.mjs';
import { rounded } from './statistics.mjs';

const WINDOW_MS = 10_000;
// The limits that Clerk documents, and the keys that say which one applies.
const DEVELOPMENT = { instance: 'development', key: 'sk_test_bench', limit: 100 };
const PRODUCTION = { instance: 'production', key: 'sk_live_bench', limit: 1000 };

export async function measureFindUsers(programs, { users }) {
  return [
    await search(programs, users, DEVELOPMENT),
    await search(programs, users, PRODUCTION),
    await search(programs, users / 4, PRODUCTION),
  ];
}

async function search({ clerkMcp, servers, folder }, users, { instance, key, limit }) {
  const args = [...seedOf(folder, users, key), '--rate-limit', String(limit)];
  const emulator = await startEmulator(clerkMcp, args);
  const proxy = await startCountingProxy(emulator.url);
  const server = new McpProcess(servers['clerk-mcp'], environment(proxy.url, key));
  try {
    await server.initialize();
    const rssBefore = memory(server.pid, 'VmRSS');
    const wanted = `load-${users / 2}`;
    const before = performance.now();
    const result = await server.call(
      'findUsers',
      { where: [{ pointer: '/external_id', equals: wanted }] },
      { progressToken: 'bench' },
    );
    const seconds = (performance.now() - before) / 1000;
    const { data, scanned } = result.structuredContent;
    const refused = proxy.seen.filter(({ status }) => status === 429).length;
    const busiest = busiestWindow(proxy.seen, WINDOW_MS);
    const faults = [];
    const check = (holds, fault) => holds || faults.push(`findUsers (${instance}, ${users} users): ${fault}`);
    check(data.length === 1 && data[0].external_id === wanted, `${data.length} users found, not the one`);
    check(scanned === users, `${scanned} of ${users} users read`);
    check(refused === 0, `${refused} answers were 429`);
    check(busiest <= limit, `${busiest} requests in 10 s, ${limit} are allowed`);
    return {
      instance,
      limit,
      users,
      seconds: rounded(seconds),
      requests: proxy.seen.length,
      refused,
      busiestWindow: busiest,
      progress: server.notifications,
      rssBeforeMb: rounded(rssBefore),
      peakRssMb: rounded(memory(server.pid, 'VmHWM')),
      faults,
    };
  } finally {
    server.stop();
    proxy.stop();
    await emulator.stop();
  }
}

function memory(pid, name) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return megabytes(Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)[1]));
}
