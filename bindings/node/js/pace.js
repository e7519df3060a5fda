// Starting a call takes some microseconds of the event loop. A program that starts a thousand at once
// still answers others in between: past this many, the rest wait for the loop's next turn.

const STARTS_PER_TURN = 64;

const waiting = [];
let started = 0;
let scheduled = false;

/** Nothing when a call may start now, else a promise of the turn in which it may. */
export function turn() {
  if (!scheduled) schedule();
  if (started < STARTS_PER_TURN && waiting.length === 0) {
    started += 1;
    return undefined;
  }
  return new Promise((resolve) => waiting.push(resolve));
}

function schedule() {
  scheduled = true;
  setImmediate(next);
}

function next() {
  const released = waiting.splice(0, STARTS_PER_TURN);
  started = released.length;
  scheduled = false;
  if (started > 0) schedule();
  for (const resolve of released) resolve();
}
