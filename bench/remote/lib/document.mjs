// The tables of docs/BENCHMARKS.md, each between two comments that name it.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './programs.mjs';

const FILE = join(ROOT, 'docs/BENCHMARKS.md');

/** Replaces these tables. The machine's line stands above them, so that all of them are of one run. */
export function writeTables(tables) {
  let text = readFileSync(FILE, 'utf8');
  for (const [name, table] of Object.entries(tables)) {
    const [begin, end] = [`<!-- remote: ${name} -->`, `<!-- end of remote: ${name} -->`];
    const from = text.indexOf(begin);
    const to = text.indexOf(end);
    if (from < 0 || to < from) throw new Error(`${FILE} has no place for ${name}: ${begin} and ${end}`);
    text = `${text.slice(0, from + begin.length)}\n${table}\n${text.slice(to)}`;
  }
  writeFileSync(FILE, text);
}
