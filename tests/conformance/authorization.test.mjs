// That the suite's findings reach whoever runs it: against a small authorization server, whole and with a fault.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { testAuthorization } from './support/authorization.mjs';
import { startSample } from './support/sample-server.mjs';

async function outcome(t, fault) {
  const sample = await startSample(fault);
  const results = mkdtempSync(join(tmpdir(), 'mcp-conformance-test-'));
  t.after(() => {
    sample.stop();
    rmSync(results, { recursive: true });
  });
  return testAuthorization(sample.issuer, { revision: '2026-07-28', namesResource: true, results });
}

test('a sound authorization server passes every check', async (t) => {
  const { scenarios, passed, failures } = await outcome(t, null);
  assert.deepEqual({ scenarios, passed, failures }, { scenarios: 2, passed: 3, failures: [] });
});

for (const [fault, expected] of [
  ['issuer', /authorization-code-grant: FAILURE: Invalid iss parameter/],
  ['cache', /authorization-code-grant: FAILURE: Invalid Cache-Control/],
  ['cimd', /authorization-server-metadata-cimd: WARNING/],
]) {
  test(`a fault fails: ${fault}`, async (t) => {
    const { failures } = await outcome(t, fault);
    assert.match(failures.join('\n'), expected);
  });
}
