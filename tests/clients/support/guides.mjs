// The commands of a guide, as somebody who follows it types them.

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { delimiter, dirname, resolve } from 'node:path';
import { BINARY, environment } from './binary.mjs';

export const ROOT = resolve(import.meta.dirname, '../../..');

/** The shell blocks of a guide in docs/guides. */
export function shellBlocks(guide) {
  const text = readFileSync(resolve(ROOT, 'docs/guides', guide), 'utf8');
  return [...text.matchAll(/^( *)```sh\n([^]*?)^\1```/gm)].map(([, , block]) => block.trim());
}

/** A text with the addresses of `clerk-mcp dev` as they are. */
export function atAddressesOf(dev, text) {
  return text
    .replaceAll('http://127.0.0.1:8787', dev.appUrl)
    .replaceAll('http://127.0.0.1:8788', dev.url)
    .replaceAll('http://127.0.0.1:8789', dev.clerkUrl);
}

/** Runs a block in the repository's folder, and gives what it printed. It must succeed. */
export function runBlock(block, env = {}) {
  const path = [dirname(BINARY), process.env.PATH].join(delimiter);
  const child = spawn('sh', ['-euc', block], { cwd: ROOT, env: environment({ ...env, PATH: path }), stdio: ['ignore', 'pipe', 'pipe'] });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => (output.stdout += chunk));
  child.stderr.on('data', (chunk) => (output.stderr += chunk));
  return new Promise((done, fail) => {
    child.on('error', fail);
    child.on('close', (code) => (code === 0 ? done(output) : fail(new Error(`${block}\nended with ${code}: ${output.stderr}`))));
  });
}
