// `clerk-mcp emulate` on a free port.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The secret key of the default seed. */
export const EMULATOR_KEY = 'sk_test_emulate';
/** A user of the default seed: with an e-mail address, metadata and a password. */
export const USER = 'user_2EmuAvaMitchell000000000000';

/** Starts the emulator and waits for its address. */
export async function startEmulator(binary, args = []) {
  const child = spawn(binary, ['emulate', '--port', '0', ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  const url = await new Promise((found, failed) => {
    let text = '';
    child.stderr.on('data', (chunk) => {
      text += chunk;
      const address = /http:\/\/127\.0\.0\.1:\d+/.exec(text);
      if (address) {
        found(address[0]);
      }
    });
    child.on('error', failed);
    child.on('close', () => failed(new Error(`the emulator did not start: ${text}`)));
  });
  return {
    url,
    async stop() {
      const closed = once(child, 'close');
      child.kill('SIGTERM');
      await closed;
    },
  };
}

/** Writes a seed with this many made-up users and one secret key; returns its arguments. */
export function seedOf(folder, users, key) {
  const file = join(folder, `seed-${users}-${key}.toml`);
  writeFileSync(file, `instance = { secret_keys = ["${key}"] }\n\n[generate]\nusers = ${users}\n`);
  return ['--seed', file];
}
