#!/usr/bin/env node
// Starts the clerk-mcp binary of this platform in this process's place: same arguments, same
// streams, its exit code, its signals.

import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { join } from 'node:path';
import { platformFolder } from '../js/platform.js';

const SIGNALS = process.platform === 'win32' ? ['SIGINT', 'SIGTERM'] : ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'];

function fail(message) {
  process.stderr.write(`error: ${message}\n`);
  process.exitCode = 1;
}

function run(binary) {
  // Before the child runs: a signal in between would end this process alone.
  let child;
  for (const signal of SIGNALS) process.on(signal, () => child?.kill(signal));
  child = spawn(binary, process.argv.slice(2), { stdio: 'inherit' });
  child.on('error', (error) => fail(`${binary} cannot be started: ${error.message}`));
  child.on('exit', (code, signal) => {
    process.exitCode = signal ? 128 + constants.signals[signal] : code;
  });
}

let binary;
try {
  binary = join(platformFolder(), process.platform === 'win32' ? 'clerk-mcp.exe' : 'clerk-mcp');
} catch (error) {
  fail(error.message);
}
if (binary) run(binary);
