// A client of a few lines: JSON-RPC over the binary's standard input and output, exactly as written.

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { BINARY, environment } from './binary.mjs';

export const META_2026 = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 'lines', version: '1.0.0' },
  'io.modelcontextprotocol/clientCapabilities': {},
};

/** Starts `clerk-mcp stdio …` and ends it after the test. */
export function startLines(t, args, { env = {} } = {}) {
  const child = spawn(BINARY, ['stdio', ...args], { env: environment(env) });
  const lines = new Lines(child);
  t.after(() => child.kill('SIGKILL'));
  return lines;
}

class Lines {
  stderr = '';
  /** Every message from the server, in order. */
  messages = [];
  /** Output lines that are no JSON. */
  garbage = [];
  #child;
  #buffer = '';
  #waiting = new Set();
  #nextId = 1;
  #asked;

  constructor(child) {
    this.#child = child;
    child.stdin.on('error', () => {});
    child.stderr.on('data', (chunk) => (this.stderr += chunk));
    child.stdout.setEncoding('utf8');
    child.stdout.on('data', (chunk) => this.#take(chunk));
    this.ended = new Promise((done) =>
      child.on('close', (code, signal) => {
        for (const waiter of [...this.#waiting]) waiter(null);
        done({ code, signal });
      }),
    );
  }

  /** Sends text as it stands, without a line end. */
  write(text) {
    this.#child.stdin.write(text);
  }

  send(message) {
    this.write(`${typeof message === 'string' ? message : JSON.stringify(message)}\n`);
  }

  /** Sends a request and waits for its answer (a whole JSON-RPC message). */
  request(method, params, { id = this.#nextId++, timeoutMs } = {}) {
    const answer = this.answer(id, { timeoutMs });
    this.send({ jsonrpc: '2.0', id, method, params });
    return answer;
  }

  /** The next message with this id that has not come yet. */
  answer(id, options) {
    return this.next((message) => message.id === id && !message.method, options);
  }

  next(wanted, { timeoutMs = 60_000 } = {}) {
    return new Promise((done, fail) => {
      const fault = (what) => {
        clearTimeout(timer);
        this.#waiting.delete(waiter);
        fail(new Error(`${what}; stderr: ${this.stderr}`));
      };
      const timer = setTimeout(() => fault(`no answer in ${timeoutMs} ms`), timeoutMs);
      const waiter = (message) => {
        if (message === null) return fault('the server ended');
        if (!wanted(message)) return;
        clearTimeout(timer);
        this.#waiting.delete(waiter);
        done(message);
      };
      this.#waiting.add(waiter);
    });
  }

  /** `initialize` at a version; gives the result. */
  async initialize(protocolVersion, capabilities = {}) {
    const clientInfo = { name: 'lines', version: '1.0.0' };
    const answer = await this.request('initialize', { protocolVersion, capabilities, clientInfo });
    this.send({ jsonrpc: '2.0', method: 'notifications/initialized' });
    return answer.result;
  }

  closeInput() {
    this.#child.stdin.end();
  }

  /** Stops reading what the server writes, as a client does that has crashed. */
  closeOutput() {
    this.#child.stdout.destroy();
  }

  /** Whether the process has a handler for the signal of this number; where that cannot be known, after a while. */
  catches(signal) {
    this.#asked ??= Date.now();
    if (process.platform !== 'linux') return Date.now() - this.#asked > 2000;
    const caught = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8').match(/^SigCgt:\s*([0-9a-f]+)/m)[1];
    return ((BigInt(`0x${caught}`) >> BigInt(signal - 1)) & 1n) === 1n;
  }

  kill(signal) {
    this.#child.kill(signal);
  }

  #take(chunk) {
    this.#buffer += chunk;
    const lines = this.#buffer.split('\n');
    this.#buffer = lines.pop();
    for (const line of lines) {
      let message;
      try {
        message = JSON.parse(line);
      } catch {
        this.garbage.push(line);
        continue;
      }
      this.messages.push(message);
      for (const waiter of [...this.#waiting]) waiter(message);
    }
  }
}
