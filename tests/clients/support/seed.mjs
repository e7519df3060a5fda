// Ids of the default seed, and seed files of our own.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const fixed = (prefix, name) => `${prefix}_${`2Emu${name}`.padEnd(27, '0')}`;

export const user = (name) => fixed('user', name);
export const organization = (name) => fixed('org', name);
export const invitation = (name) => fixed('inv', name);
export const organizationInvitation = (name) => fixed('orginv', name);

/** Admin of Northwind Metrics, plain member of Quarry & Sons; has private metadata. */
export const AVA = user('AvaMitchell');
/** Member of Northwind Metrics. */
export const NOAH = user('NoahTanaka');
/** Has the role org:billing in Northwind Metrics. */
export const PRIYA = user('PriyaRaman');
/** Admin of Lumen Studio, and no member of Northwind Metrics. */
export const LUCAS = user('LucasMoreau');
export const NORTHWIND = organization('NorthwindMetrics');
export const LUMEN = organization('LumenStudio');
export const QUARRY = organization('QuarrySons');

/** Writes a seed file that is gone after the test. */
export function seedFile(t, text, extension = 'toml') {
  const folder = mkdtempSync(join(tmpdir(), 'clerk-mcp-seed-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, `seed.${extension}`);
  writeFileSync(path, typeof text === 'string' ? text : JSON.stringify(text));
  return path;
}
