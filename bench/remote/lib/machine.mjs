// What the numbers depend on.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { HERE, ROOT } from './programs.mjs';

export function machine({ clerkMcp, python }) {
  const output = (program, args) => execFileSync(program, args, { cwd: ROOT, encoding: 'utf8' }).trim();
  const lock = readFileSync(join(HERE, 'native/Cargo.lock'), 'utf8');
  const locked = (name) => new RegExp(`name = "${name}"\\nversion = "(.+)"`).exec(lock)[1];
  const peer = JSON.parse(readFileSync(join(HERE, 'node_modules/@modelcontextprotocol/server/package.json'), 'utf8'));
  const fastmcp = 'import importlib.metadata as m, sys; print(m.version("fastmcp"), "on Python", sys.version.split()[0])';
  const processors = cpus();
  return [
    `${processors.length} × ${processors[0].model}, ${Math.round(totalmem() / 1e9)} GB`,
    `Linux ${release().split('-')[0]}`,
    `load ${loadavg()[0].toFixed(2)} at the start`,
    output(clerkMcp, ['--version']),
    `axum ${locked('axum')}`,
    `rmcp ${locked('rmcp')}`,
    `@modelcontextprotocol/server ${peer.version} on Node ${process.versions.node}`,
    ...(python ? [`FastMCP ${output(python, ['-c', fastmcp])}`] : []),
    output('rustc', ['--version']).split(' ').slice(0, 2).join(' '),
  ].join(', ');
}
