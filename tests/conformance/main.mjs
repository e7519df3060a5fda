// Runs the conformance suite against the fixture and against an authorization server, and says what failed.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { testAuthorization } from './support/authorization.mjs';
import { summary } from './support/checks.mjs';
import { startDev } from './support/dev.mjs';
import { startFixture } from './support/fixture.mjs';
import { testServer } from './support/server.mjs';

const REVISIONS = ['2025-11-25', '2026-07-28'];
const SUITES = ['server', 'authorization'];

async function server(results) {
  const fixture = await startFixture();
  try {
    const outcomes = [];
    for (const revision of REVISIONS) {
      outcomes.push(await testServer(fixture.url, revision, join(results, `server-${revision}`)));
    }
    return outcomes;
  } finally {
    fixture.stop();
  }
}

async function authorization(results) {
  const named = process.env.CONFORMANCE_ISSUER;
  if (named) return authorizationAt(named, results);
  const dev = await startDev(process.env.CLERK_MCP_BIN);
  try {
    return await authorizationAt(dev.issuer, results);
  } finally {
    dev.stop();
  }
}

async function authorizationAt(issuer, results) {
  const outcomes = [];
  for (const revision of REVISIONS) {
    // MCP clients name the resource; others may leave it out, and mean the server's only one.
    for (const namesResource of [true, false]) {
      const name = `authorization-${revision}${namesResource ? '' : '-without-resource'}`;
      outcomes.push(await testAuthorization(issuer, { revision, namesResource, results: join(results, name) }));
    }
  }
  return outcomes;
}

const asked = process.argv.slice(2);
const unknown = asked.find((suite) => !SUITES.includes(suite));
if (unknown) {
  console.error(`there is no suite ${JSON.stringify(unknown)}\n  hint: ${SUITES.join(' or ')}, or none for both`);
  process.exit(2);
}
const suites = asked.length ? asked : SUITES;
const results = mkdtempSync(join(tmpdir(), 'mcp-conformance-'));
let hasFailed = false;
for (const [name, suite] of Object.entries({ server, authorization })) {
  if (!suites.includes(name)) continue;
  try {
    for (const outcome of await suite(results)) {
      console.log(summary(outcome));
      hasFailed ||= outcome.failures.length > 0;
    }
  } catch (error) {
    console.error(`✗ ${name}: ${error.message}`);
    hasFailed = true;
  }
}
if (hasFailed) console.log(`Every check, with what was sent and answered: ${results}`);
else rmSync(results, { recursive: true });
process.exitCode = hasFailed ? 1 : 0;
