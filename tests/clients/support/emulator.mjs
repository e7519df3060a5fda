// `clerk-mcp emulate` on a port of its own.

import { spawn } from 'node:child_process';
import { BINARY, environment } from './binary.mjs';

export const EMULATOR_KEY = 'sk_test_emulate';

/** Starts the emulator, waits until it says its address, and stops it after the test. */
export async function startEmulator(t, args = []) {
  const child = spawn(BINARY, ['emulate', '--port', '0', ...args], { env: environment() });
  let output = '';
  const ended = new Promise((done) => child.on('close', (code, signal) => done({ code, signal })));
  const url = await new Promise((done, fail) => {
    const timer = setTimeout(() => fail(new Error(`the emulator named no address: ${output}`)), 60_000);
    const look = (chunk) => {
      output += chunk;
      const address = output.match(/http:\/\/(?:127\.0\.0\.1|localhost):[1-9]\d*/);
      if (address) {
        clearTimeout(timer);
        done(address[0]);
      }
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
  return { url, ended, control, output: () => output, kill: (signal) => child.kill(signal) };
}
