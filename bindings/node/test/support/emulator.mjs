// `clerk-mcp emulate` on a port of its own, the binary being the package's.

import { spawn } from 'node:child_process';
import { resolve } from 'node:path';

export const BINARY = resolve(import.meta.dirname, '../../npm/linux-x64-gnu/clerk-mcp');
export const EMULATOR_KEY = 'sk_test_emulate';

/** The environment for a process: nothing of Clerk's but what the test says. */
export function environment(extra = {}) {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('CLERK_'));
  return { ...Object.fromEntries(kept), ...extra };
}

/** Starts the emulator, waits until it says its address, and stops it after the test. */
export async function startEmulator(t, args = []) {
  const child = spawn(BINARY, ['emulate', '--port', '0', ...args], { env: environment() });
  let output = '';
  const ended = new Promise((done) => child.on('close', done));
  const url = await new Promise((done, fail) => {
    const look = (chunk) => {
      output += chunk;
      const address = output.match(/http:\/\/127\.0\.0\.1:[1-9]\d*/);
      if (address) done(address[0]);
    };
    child.stdout.on('data', look);
    child.stderr.on('data', look);
    child.on('error', fail);
    child.on('close', (code) => fail(new Error(`the emulator ended with ${code}: ${output}`)));
  });
  t.after(async () => {
    child.kill('SIGTERM');
    await ended;
  });
  const control = async (method, path, body) => {
    const response = await fetch(`${url}/_emulator/${path}`, {
      method,
      headers: body ? { 'content-type': 'application/json' } : {},
      body: body && JSON.stringify(body),
    });
    return response.json();
  };
  return { url, options: { secretKey: EMULATOR_KEY, apiUrl: url }, control };
}
