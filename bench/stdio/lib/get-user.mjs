// One `getUser` after the other, and the GET behind it without any MCP server between.
//
// Seen twice: by the native probe, and by a Node process as most MCP clients are. Node's own time for
// pipes and for HTTP is in the second, and it is the same size as what is measured.

import { spawn } from 'node:child_process';
import { Agent, get } from 'node:http';
import { createInterface } from 'node:readline';
import { EMULATOR_KEY, USER } from './emulator.mjs';
import { McpProcess } from './mcp-process.mjs';
import { environment } from './programs.mjs';
import { summary } from './statistics.mjs';

const SERVERS = ['clerk-mcp', 'agent-toolkit'];
/** Blocks before those that count: connections, and V8's compiler, which needs some hundred calls. */
const WARM_UP_BLOCKS = 2;

/** Milliseconds a call. */
export async function measureGetUser(programs, emulator, { blocks, callsPerBlock }) {
  const native = await turns(nativeContenders(programs, emulator), blocks, callsPerBlock);
  const node = await turns(await nodeContenders(programs, emulator), blocks, callsPerBlock);
  return { native, node };
}

/** All contenders stay alive for the whole measure and take turns block by block. */
async function turns(contenders, blocks, callsPerBlock) {
  const samples = Object.fromEntries(contenders.map(({ name }) => [name, []]));
  try {
    for (let block = -WARM_UP_BLOCKS; block < blocks; block += 1) {
      for (const { name, measure } of contenders) {
        const times = await measure(callsPerBlock);
        if (block >= 0) {
          samples[name].push(...times);
        }
      }
    }
  } finally {
    contenders.forEach(({ stop }) => stop());
  }
  return Object.fromEntries(Object.entries(samples).map(([name, times]) => [name, summary(times)]));
}

function nativeContenders({ probe, servers }, emulator) {
  const address = emulator.url.replace('http://', '');
  return [
    probing('raw GET', probe, ['get', address, USER, EMULATOR_KEY], emulator),
    ...SERVERS.map((name) => probing(name, probe, ['calls', USER, '--', ...servers[name]], emulator)),
  ];
}

function probing(name, probe, args, emulator) {
  const env = environment(emulator.url, EMULATOR_KEY);
  const child = spawn(probe, args, { env, stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    name,
    async measure(calls) {
      child.stdin.write(`${calls}\n`);
      const { value, done } = await lines.next();
      if (done) {
        throw new Error(`the probe of ${name} ended`);
      }
      return JSON.parse(value).map((micros) => micros / 1000);
    },
    stop: () => child.stdin.end(),
  };
}

async function nodeContenders({ servers }, emulator) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const contenders = [
    {
      name: 'raw GET',
      measure: (calls) => timed(calls, () => rawGet(emulator.url, agent)),
      stop: () => agent.destroy(),
    },
  ];
  for (const name of SERVERS) {
    const server = new McpProcess(servers[name], environment(emulator.url, EMULATOR_KEY));
    await server.initialize();
    contenders.push({
      name,
      measure: (calls) => timed(calls, () => server.call('getUser', { userId: USER })),
      stop: () => server.stop(),
    });
  }
  return contenders;
}

async function timed(calls, one) {
  const times = [];
  for (let call = 0; call < calls; call += 1) {
    const before = process.hrtime.bigint();
    await one();
    times.push(Number(process.hrtime.bigint() - before) / 1e6);
  }
  return times;
}

function rawGet(url, agent) {
  const headers = {
    authorization: `Bearer ${EMULATOR_KEY}`,
    'clerk-api-version': '2026-05-12',
    'content-type': 'application/json',
  };
  return new Promise((done, failed) => {
    const request = get(`${url}/v1/users/${USER}`, { agent, headers }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (chunk) => (text += chunk));
      answer.on('end', () => (JSON.parse(text).id === USER ? done() : failed(new Error(text))));
      answer.on('error', failed);
    });
    request.on('error', failed);
  });
}
