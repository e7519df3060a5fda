import { setTimeout as sleep } from 'node:timers/promises';

/** Waits, a minute at most, until something is so. */
export async function until(what, isSo) {
  for (const end = Date.now() + 60_000; !isSo(); ) {
    if (Date.now() > end) throw new Error(`still not: ${what}`);
    await sleep(20);
  }
}
