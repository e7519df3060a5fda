// Measures loading, creation, a call and the event loop under many calls; ends with 1 when a target
// is missed. The old package is measured beside it where test/node_modules has it.
//
// Usage: node bench/run.mjs (after ./build, and npm ci and npm run prepare in test).

import { execFileSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { pathToFileURL } from 'node:url';
import { startEmulator } from '../test/support/emulator.mjs';

const CONSUMERS = resolve(import.meta.dirname, '../test/.consumers');
const AVA = 'user_2EmuAvaMitchell000000000000';
const ROUNDS = 15;
const median = (numbers) => numbers.sort((a, b) => a - b)[numbers.length >> 1];
const rows = [];

function row(what, value, target, unit = 'ms', beside = '') {
  rows.push({ what, value, target, unit, beside });
}

/** In processes of their own: import of `specifier`, first creation, later creation. */
function start(folder, specifier, options) {
  const code = `
    const began = performance.now();
    const { createClerkToolkit } = await import('${specifier}');
    const loaded = performance.now();
    await createClerkToolkit(${options});
    const first = performance.now();
    for (let n = 0; n < 50; n += 1) (await createClerkToolkit(${options})).allTools();
    const later = performance.now();
    console.log(JSON.stringify([loaded - began, first - loaded, (later - first) / 50]));`;
  const runs = Array.from({ length: ROUNDS }, () =>
    JSON.parse(
      execFileSync(process.execPath, ['--input-type=module', '-e', code], {
        cwd: folder,
        env: { ...process.env, CLERK_SECRET_KEY: 'sk_test_emulate' },
        encoding: 'utf8',
      }),
    ),
  );
  return [0, 1, 2].map((index) => median(runs.map((run) => run[index])));
}

async function measureStart() {
  const ours = start(join(CONSUMERS, 'ai-5'), 'clerk-agent-tools/ai-sdk', '{}');
  const core = start(join(CONSUMERS, 'plain'), 'clerk-agent-tools', '{}');
  let old = [];
  try {
    old = start(join(CONSUMERS, 'predecessor'), '@clerk/agent-toolkit/ai-sdk', '{}');
  } catch (error) {
    process.stderr.write(`the old package cannot be measured: ${error.stderr ?? error.message}\n`);
  }
  const beside = (index) => (old[index] === undefined ? '' : `${old[index].toFixed(2)} ms`);
  row('load clerk-agent-tools/ai-sdk', ours[0], 30, 'ms', beside(0));
  row('load clerk-agent-tools', core[0], 30);
  row('first createClerkToolkit', ours[1], 2, 'ms', beside(1));
  row('later createClerkToolkit + allTools', ours[2], 2, 'ms', beside(2));
}

/**
 * What JavaScript and the boundary add: calls that need no request (`getUserId`) take nearly nothing
 * in Rust, so that their whole time is the addition.
 */
async function measureCall(createClerkToolkit, emulator) {
  const toolkit = await createClerkToolkit(emulator.options);
  const time = async (count, work) => {
    const times = [];
    for (let n = 0; n < count; n += 1) {
      const began = performance.now();
      await work();
      times.push(performance.now() - began);
    }
    return median(times);
  };
  const local = () => toolkit.call('getUserId', {});
  await time(2000, local);
  row('a call without a request: all that Node adds', await time(5000, local), 0.1);
  const signal = new AbortController().signal;
  row('the same with an AbortSignal', await time(5000, () => toolkit.call('getUserId', {}, { signal })), 0.1);
  const remote = () => toolkit.call('getUser', { userId: AVA });
  await time(500, remote);
  row('getUser against the emulator, in all', await time(2000, remote), null);
}

async function measureEventLoop(createClerkToolkit, emulator, what, options) {
  const toolkit = await createClerkToolkit({ ...emulator.options, ...options });
  const calls = () => Promise.all(Array.from({ length: 1000 }, () => toolkit.call('getUser', { userId: AVA })));
  await calls();
  const worst = [];
  let took = 0;
  for (let round = 0; round < 5; round += 1) {
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    await new Promise((done) => setTimeout(done, 20));
    delay.reset();
    const began = performance.now();
    await calls();
    took = performance.now() - began;
    await new Promise((done) => setTimeout(done, 5));
    delay.disable();
    worst.push(delay.max / 1e6);
  }
  row(`${what}: longest pause of the event loop (median of 5)`, median([...worst]), 10);
  row(`${what}: worst of 5`, Math.max(...worst), null);
  row(`${what}: in all`, took, null);
}

const cleanups = [];
const emulator = await startEmulator({ after: (work) => cleanups.push(work) });
const module_ = pathToFileURL(join(CONSUMERS, 'plain/node_modules/clerk-agent-tools/js/index.js'));
const { createClerkToolkit } = await import(module_.href);
await measureStart();
await measureCall(createClerkToolkit, emulator);
await measureEventLoop(createClerkToolkit, emulator, '1,000 calls at once');
for (const work of cleanups) await work();

let missed = false;
for (const { what, value, target, unit, beside } of rows) {
  const over = target !== null && value > target;
  missed ||= over;
  const goal = target === null ? '' : `  (target ${target}${over ? ', MISSED' : ''})`;
  process.stdout.write(`${what.padEnd(66)} ${value.toFixed(3).padStart(9)} ${unit}${goal}${beside && `  old: ${beside}`}\n`);
}
process.exitCode = missed ? 1 : 0;
