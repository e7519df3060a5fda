// What is measured, and what measures it.

import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const HERE = resolve(import.meta.dirname, '..');
export const ROOT = resolve(HERE, '../..');
const TARGET = resolve(process.env.CARGO_TARGET_DIR ?? join(ROOT, 'target'));

/** Copies the binaries, so that a build during the run does not change what is measured. */
export function prepare() {
  // Beside the builds and not in /tmp, which may be memory: databases are to be on a disk.
  const folder = mkdtempSync(join(TARGET, 'bench-remote-'));
  const copy = (source) => {
    if (!existsSync(source)) throw new Error(`there is no ${source}\nhint: run bench/remote/run, which builds it`);
    const target = join(folder, source.split('/').at(-1));
    copyFileSync(source, target);
    return target;
  };
  const native = (name) => copy(join(TARGET, 'release', name));
  const given = (variable, name) => (process.env[variable] ? copy(resolve(ROOT, process.env[variable])) : native(name));
  return {
    folder,
    clerkMcp: given('CLERK_MCP_BIN', 'clerk-mcp'),
    bareAxum: native('bare-axum'),
    bareRmcp: native('bare-rmcp'),
    benchServer: given('CLERK_MCP_BENCH_SERVER_BIN', 'clerk-mcp-bench-server'),
    mcpLoad: native('mcp-load'),
    mcpPaced: native('mcp-paced'),
    mcpStreams: native('mcp-streams'),
    firstLooks: native('first-looks'),
    fillStore: native('fill-store'),
    bareApi: native('bare-api'),
    apiToolLoad: native('api-tool-load'),
    tokenLoad: native('token-load'),
    sqliteCommits: native('sqlite-commits'),
    python: process.env.BENCH_PYTHON || null,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
