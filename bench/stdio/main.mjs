// The stdio benchmark: every measure in one run, the competitors taking turns.

import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { startEmulator } from './lib/emulator.mjs';
import { measureFindUsers } from './lib/find-users.mjs';
import { measureGetUser } from './lib/get-user.mjs';
import { checkBudgets, measureListing } from './lib/listing.mjs';
import { machine } from './lib/machine.mjs';
import { prepare } from './lib/programs.mjs';
import { markdown } from './lib/report.mjs';
import { measureStart } from './lib/start.mjs';

const FULL = { starts: 60, blocks: 12, callsPerBlock: 250, users: 100_000 };
// Enough users to run into the rate limit: some 105 requests, where one window takes 100.
const QUICK = { starts: 7, blocks: 3, callsPerBlock: 50, users: 50_000 };

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    date: { type: 'string' },
    json: { type: 'string' },
  },
});

const size = options.quick ? QUICK : FULL;
const programs = prepare();
const results = { machine: machine(options.date, programs), size };
const say = (text) => process.stderr.write(`${text}\n`);
try {
  const emulator = await startEmulator(programs.clerkMcp);
  try {
    say(`start and memory: ${size.starts} starts of each`);
    const start = await measureStart(programs, emulator, size);
    results.start = start.summary;
    results.listing = measureListing(start.answers);
    say(`getUser: ${size.blocks * size.callsPerBlock} calls of each`);
    results.getUser = await measureGetUser(programs, emulator, size);
  } finally {
    await emulator.stop();
  }
  say(`findUsers over ${size.users} users`);
  results.findUsers = await measureFindUsers(programs, size);
} finally {
  programs.remove();
}

console.log(markdown(results));
if (options.json) {
  writeFileSync(options.json, `${JSON.stringify(results, null, 2)}\n`);
}

// Times depend on the machine and are only reported; these do not.
const faults = [...checkBudgets(results.listing), ...results.findUsers.flatMap((run) => run.faults)];
for (const fault of faults) {
  say(`FAILED: ${fault}`);
}
process.exitCode = faults.length === 0 ? 0 : 1;
