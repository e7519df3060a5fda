// What the suite wrote about its checks.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A folder of results is called after its scenario and the time. */
const FOLDER = /^(?:server|authorization-server)-(?<scenario>.+)-\d{4}-\d\d-\d\dT[\d-]+Z$/;

/** Every check that the suite wrote into `folder`, with the name of its scenario. */
export function readChecks(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder).flatMap((entry) => {
    const scenario = FOLDER.exec(entry)?.groups.scenario ?? entry;
    const file = join(folder, entry, 'checks.json');
    if (!existsSync(file)) return [];
    return JSON.parse(readFileSync(file, 'utf8')).map((check) => ({ ...check, scenario }));
  });
}

/**
 * Judges `checks` more strictly than the suite's exit code, which knows neither warnings nor what was skipped, and
 * counts only scenarios that a revision requires: all have to succeed.
 */
export function judge(name, checks, { code, output }) {
  const failures = checks
    .filter((check) => !['SUCCESS', 'INFO'].includes(check.status))
    .map((check) => `${check.scenario}, ${check.id}: ${check.status}: ${check.errorMessage ?? check.description}`);
  const passed = checks.filter((check) => check.status === 'SUCCESS').length;
  if (code !== 0 || passed === 0) {
    const end = output.trim().split('\n').slice(-15).join('\n');
    failures.push(`the suite ended with exit code ${code} after ${passed} successes:\n${end}`);
  }
  const scenarios = new Set(checks.map((check) => check.scenario)).size;
  return { name, scenarios, passed, failures };
}

/** An outcome for people: a line if all is well, else a line for each failure. */
export function summary({ name, scenarios, passed, failures }) {
  const counts = `${name}: ${scenarios} scenarios, ${passed} checks passed`;
  if (failures.length === 0) return `✓ ${counts}`;
  return [`✗ ${counts}, ${failures.length} failed`, ...failures.map((failure) => `  ${failure}`)].join('\n');
}
