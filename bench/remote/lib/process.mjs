// Processes: servers that live through the run, and programs that print one line of JSON.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';

const PATIENCE_MS = 60_000;

/** The environment without anything that would configure a server behind our back. */
export function environment(more = {}) {
  const kept = Object.entries(process.env).filter(([name]) => !/^(CLERK|MCP|FASTMCP)_/.test(name));
  return { ...Object.fromEntries(kept), ...more };
}

/** Starts a server that says where it is: the first address in what it prints that `pattern` matches. */
export async function startServer(command, { log, pattern = /http:\/\/\S+\/mcp/, env = {}, cwd } = {}) {
  // A file costs the server the same whether anybody reads it or not.
  const output = openSync(log, 'w');
  const child = spawn(command[0], command.slice(1), { stdio: ['ignore', output, output], env: environment(env), cwd });
  closeSync(output);
  const ended = once(child, 'exit');
  const stop = async () => {
    child.kill('SIGTERM');
    await ended;
  };
  for (const deadline = Date.now() + PATIENCE_MS; ; ) {
    const found = pattern.exec(readFileSync(log, 'utf8'));
    if (found) return { pid: child.pid, url: found[0], log, stop };
    if (child.exitCode !== null || child.signalCode !== null || Date.now() > deadline) {
      child.kill('SIGKILL');
      throw new Error(`${command.join(' ')} does not serve:\n${readFileSync(log, 'utf8')}`);
    }
    await new Promise((done) => setTimeout(done, 20));
  }
}

/** Runs a program to its end; what it printed as JSON, if anything. */
export async function run(command, { env = {}, input = '' } = {}) {
  const child = spawn(command[0], command.slice(1), { env: environment(env) });
  const printed = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) {
    child[name].setEncoding('utf8').on('data', (text) => (printed[name] += text));
  }
  child.stdin.on('error', () => {}); // It may end before it has read everything; its own message says why.
  child.stdin.end(input);
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code}:\n${printed.stderr}`);
  return printed.stdout ? JSON.parse(printed.stdout) : undefined;
}

export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** Resident memory, MB. */
export function residentMb(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)[1]) / 1024;
}
