// What the numbers depend on.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { NATIVE_LOCK, TOOLKIT_MANIFEST, WORKSPACE } from './programs.mjs';

export function machine(date, { clerkMcp }) {
  const output = (program, args) => execFileSync(program, args, { cwd: WORKSPACE, encoding: 'utf8' }).trim();
  const processors = cpus();
  return {
    date: date ?? null,
    cpu: processors[0].model,
    cores: processors.length,
    memoryGb: Math.round(totalmem() / 1e9),
    kernel: release().split('-')[0],
    loadBefore: loadavg()[0],
    clerkMcp: output(clerkMcp, ['--version']).replace('clerk-mcp ', ''),
    commit: commit(output),
    agentToolkit: JSON.parse(readFileSync(TOOLKIT_MANIFEST, 'utf8')).version,
    rmcp: /name = "rmcp"\nversion = "(.+)"/.exec(readFileSync(NATIVE_LOCK, 'utf8'))[1],
    node: process.versions.node,
    rustc: output('rustc', ['--version']).split(' ')[1],
  };
}

/** The commit of the source. A copy without its history has none, and a given binary may be of any. */
function commit(output) {
  if (process.env.CLERK_MCP_BIN) {
    return null;
  }
  try {
    return output('git', ['rev-parse', '--short', 'HEAD']);
  } catch {
    return null;
  }
}
