// What is measured, and the commands that start it.

import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const HERE = resolve(import.meta.dirname, '..');
const ROOT = resolve(HERE, '../..');
const TARGET = resolve(process.env.CARGO_TARGET_DIR ?? join(ROOT, 'target'), 'release');
const TOOLKIT = join(HERE, 'node_modules/@clerk/agent-toolkit');

export const TOOLKIT_MANIFEST = join(TOOLKIT, 'package.json');
export const NATIVE_LOCK = join(HERE, 'native/Cargo.lock');
export const WORKSPACE = ROOT;

/** Copies the binaries, so that a build during the run does not change what is measured. */
export function prepare() {
  const folder = mkdtempSync(join(tmpdir(), 'clerk-mcp-bench-'));
  const copy = (source) => {
    if (!existsSync(source)) {
      throw new Error(`there is no ${source}\nhint: run bench/stdio/run, which builds it`);
    }
    const target = join(folder, source.split('/').at(-1));
    copyFileSync(source, target);
    return target;
  };
  const clerkMcp = copy(resolve(ROOT, process.env.CLERK_MCP_BIN ?? join(TARGET, 'clerk-mcp')));
  const servers = {
    'clerk-mcp': [clerkMcp, 'stdio'],
    // Without npx, which would add its own second.
    'agent-toolkit': [process.execPath, join(TOOLKIT, 'dist/modelcontextprotocol/local-server.js')],
    'bare rmcp': [copy(join(TARGET, 'bare-rmcp'))],
  };
  return {
    clerkMcp,
    servers,
    probe: copy(join(TARGET, 'stdio-probe')),
    folder,
    remove: () => rmSync(folder, { recursive: true }),
  };
}

/** The environment of a server: nothing of Clerk's but the emulator's, and no telemetry. */
export function environment(url, key) {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('CLERK_'));
  return {
    ...Object.fromEntries(kept),
    CLERK_API_URL: url,
    CLERK_SECRET_KEY: key,
    CLERK_TELEMETRY_DISABLED: '1',
  };
}
