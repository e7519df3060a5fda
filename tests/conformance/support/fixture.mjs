// The fixture as a process.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** Starts the fixture on a free port. Its URL, and what ends it. */
export async function startFixture() {
  const child = spawn(process.env.CONFORMANCE_FIXTURE, ['127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const line = await new Promise((resolve, reject) => {
    createInterface(child.stdout).once('line', resolve);
    child.once('error', reject);
    child.once('close', (code) => reject(new Error(`the fixture ended with exit code ${code} before it served`)));
  });
  return { url: JSON.parse(line).url, stop: () => child.kill() };
}
