// From the start of the process to the answer to `tools/list`, and the memory at that moment.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { EMULATOR_KEY } from './emulator.mjs';
import { environment } from './programs.mjs';
import { summary } from './statistics.mjs';

const run = promisify(execFile);

/**
 * Starts each server `starts` times, in turns. Times are milliseconds, memory is MB (10^6 bytes).
 * `answers` holds the last answer of each as text.
 */
export async function measureStart({ servers, probe }, emulator, { starts }) {
  const env = environment(emulator.url, EMULATOR_KEY);
  const samples = {};
  const answers = {};
  // The first round only warms the page cache.
  for (let round = 0; round <= starts; round += 1) {
    for (const [name, command] of Object.entries(servers)) {
      const { stdout } = await run(probe, ['start', '--', ...command], { env, maxBuffer: 1 << 24 });
      const { micros, rss_kb, anonymous_kb, pss_kb, answer } = JSON.parse(stdout);
      answers[name] = answer;
      if (round > 0) {
        const rows = (samples[name] ??= { ms: [], rssMb: [], pssMb: [], anonymousMb: [] });
        rows.ms.push(micros / 1000);
        rows.rssMb.push(megabytes(rss_kb));
        rows.pssMb.push(megabytes(pss_kb));
        rows.anonymousMb.push(megabytes(anonymous_kb));
      }
    }
  }
  const summaries = Object.entries(samples).map(([name, rows]) => [
    name,
    Object.fromEntries(Object.entries(rows).map(([unit, values]) => [unit, summary(values)])),
  ]);
  return { summary: Object.fromEntries(summaries), answers };
}

/** /proc counts in units of 1,024 bytes. */
export function megabytes(kilobytes) {
  return (kilobytes * 1024) / 1e6;
}
