// The binary under test, and running it to its end.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '../../..');

/** Absolute path of `clerk-mcp`: CLERK_MCP_BIN (relative to the repository), else the release build. */
export const BINARY = resolve(ROOT, process.env.CLERK_MCP_BIN ?? 'target/release/clerk-mcp');

if (!existsSync(BINARY)) {
  throw new Error(`there is no ${BINARY}\nhint: cargo build --release -p clerk-mcp, or set CLERK_MCP_BIN`);
}

/** A folder with Clerk's OpenAPI file and the recorded requests of the old toolkit. */
export const SPECIFICATIONS = resolve(ROOT, process.env.CLERK_SPEC_DIR ?? '../shared/clerk');

/** The environment for the binary: nothing of Clerk's but what the test says. */
export function environment(extra = {}) {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('CLERK_'));
  return { ...Object.fromEntries(kept), ...extra };
}

/**
 * Runs the binary to its end.
 *
 * @param {string[]} args
 * @param {{env?: Record<string, string>, input?: string, timeoutMs?: number}} options
 * @returns {Promise<{code: number | null, signal: string | null, stdout: string, stderr: string}>}
 */
export function run(args, { env = {}, input = '', timeoutMs = 60_000 } = {}) {
  return new Promise((done, fail) => {
    const child = spawn(BINARY, args, { env: environment(env) });
    const output = { stdout: '', stderr: '' };
    child.stdout.on('data', (chunk) => (output.stdout += chunk));
    child.stderr.on('data', (chunk) => (output.stderr += chunk));
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      fail(new Error(`clerk-mcp ${args.join(' ')} did not end in ${timeoutMs} ms: ${output.stderr}`));
    }, timeoutMs);
    child.on('error', fail);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      done({ code, signal, ...output });
    });
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}
