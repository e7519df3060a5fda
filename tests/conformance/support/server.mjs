// `conformance server`: an MCP server at one revision of the protocol.

import { judge, readChecks } from './checks.mjs';
import { runSuite } from './suite.mjs';

/** Tasks are an extension that we do not have; the suite runs its scenarios, but no revision requires them. */
const isRequired = (check) => !check.scenario.startsWith('tasks-');

/** Tests the server at `url`; the suite writes what it finds to `results`. */
export async function testServer(url, revision, results) {
  const args = ['server', '--url', url, '--requirements', revision, '--output-dir', results];
  const ended = await runSuite(args, { limitMs: 300_000 });
  return judge(`server ${revision}`, readChecks(results).filter(isRequired), ended);
}
