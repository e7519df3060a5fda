// The least of an MCP client over standard input and output.

import { spawn } from 'node:child_process';

export class McpProcess {
  #child;
  #waiting = new Map();
  #nextId = 1;
  #text = '';
  /** Notifications received. */
  notifications = 0;

  constructor([program, ...args], env) {
    this.#child = spawn(program, args, { env, stdio: ['pipe', 'pipe', 'ignore'] });
    this.#child.stdout.setEncoding('utf8');
    this.#child.stdout.on('data', (chunk) => this.#read(chunk));
    this.#child.on('close', () => {
      this.#waiting.forEach(({ failed }) => failed(new Error(`${program} ended`)));
    });
  }

  get pid() {
    return this.#child.pid;
  }

  async initialize() {
    await this.#request('initialize', {
      protocolVersion: '2025-06-18',
      capabilities: {},
      clientInfo: { name: 'stdio-bench', version: '0.1.0' },
    });
    this.#send({ jsonrpc: '2.0', method: 'notifications/initialized' });
  }

  /** Calls a tool; an error result rejects. */
  async call(name, args, meta) {
    const params = { name, arguments: args, ...(meta && { _meta: meta }) };
    const result = await this.#request('tools/call', params);
    if (result.isError) {
      throw new Error(`${name} failed: ${JSON.stringify(result.content)}`);
    }
    return result;
  }

  stop() {
    this.#child.kill();
  }

  #request(method, params) {
    const id = this.#nextId++;
    return new Promise((done, failed) => {
      this.#waiting.set(id, { done, failed });
      this.#send({ jsonrpc: '2.0', id, method, params });
    });
  }

  #send(message) {
    this.#child.stdin.write(`${JSON.stringify(message)}\n`);
  }

  #read(chunk) {
    this.#text += chunk;
    const lines = this.#text.split('\n');
    this.#text = lines.pop();
    for (const line of lines) {
      const { id, result, error } = JSON.parse(line);
      const request = this.#waiting.get(id);
      if (!request) {
        this.notifications += 1;
        continue;
      }
      this.#waiting.delete(id);
      if (error) {
        request.failed(new Error(error.message));
      } else {
        request.done(result);
      }
    }
  }
}
