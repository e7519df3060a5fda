// 200 operations over 100 schemas that refer to each other, as YAML and as JSON.

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';

const [binary, ...flags] = process.argv.slice(2);
const RUNS = flags.includes('--quick') ? 3 : 40;
const OPERATIONS = 200;

const schema = (number) => ({ $ref: `#/components/schemas/Thing${number}` });

function document() {
  const paths = {};
  const schemas = {};
  for (let number = 0; number < OPERATIONS / 2; number += 1) {
    paths[`/things${number}/{id}`] = {
      parameters: [{ name: 'id', in: 'path', required: true, schema: { type: 'string' } }],
      get: {
        operationId: `getThing${number}`,
        summary: 'Reads a thing',
        description: 'Reads a thing with all that belongs to it.',
        tags: ['things'],
        parameters: [
          { name: 'limit', in: 'query', description: 'How many', schema: { type: 'integer', minimum: 1, maximum: 100 } },
          { name: 'status', in: 'query', schema: { enum: ['open', 'closed'] } },
        ],
        responses: { 200: { description: 'Fine', content: { 'application/json': { schema: schema(number) } } } },
      },
      put: {
        operationId: `putThing${number}`,
        tags: ['things'],
        requestBody: { required: true, content: { 'application/json': { schema: schema(number) } } },
        responses: { 200: { description: 'Fine' } },
      },
    };
    // Ten refer to each other in a circle, so that each tool needs ten.
    schemas[`Thing${number}`] = {
      type: 'object',
      required: ['name'],
      properties: {
        name: { type: 'string', maxLength: 80 },
        amount: { type: ['number', 'null'] },
        tags: { type: 'array', items: { type: 'string' } },
        other: schema(Math.floor(number / 10) * 10 + ((number + 1) % 10)),
      },
    };
  }
  return { openapi: '3.1.0', info: { title: 'Large', version: '1' }, paths, components: { schemas } };
}

/** Block style, as people write it; lists of plain values in one line. */
function yaml(value, indent = '') {
  if (value === null || typeof value !== 'object') return ` ${JSON.stringify(value)}\n`;
  if (Array.isArray(value) && value.every((item) => typeof item !== 'object')) return ` ${JSON.stringify(value)}\n`;
  const lines = Array.isArray(value)
    ? value.map((item) => `${indent}-${yaml(item, `${indent}  `)}`)
    : Object.entries(value).map(([key, item]) => `${indent}${JSON.stringify(key)}:${yaml(item, `${indent}  `)}`);
  return `\n${lines.join('')}`;
}

const CONFIGURATION = (file) => `
public_url = "http://127.0.0.1:8788"

[api]
base_url = "https://api.example.com"
credential = "oauth"
openapi = "${file}"

[[access]]
everyone = true
tools = ["*"]
`;

const ENVIRONMENT = {
  PATH: process.env.PATH,
  CLERK_SECRET_KEY: 'sk_test_emulate',
  CLERK_API_URL: 'http://127.0.0.1:8789',
  CLERK_FRONTEND_API: 'http://127.0.0.1:8789',
  CLERK_CLIENT_ID: 'client',
  CLERK_CLIENT_SECRET: 'secret',
};

/** Seconds as bash's `time` tells them: from the start to the end, and of them on a processor. */
const TIMED = 'TIMEFORMAT="%3R %3U %3S"; time "$0" "$@"';

function time(cwd, parameters) {
  const options = { cwd, env: ENVIRONMENT, encoding: 'utf8', maxBuffer: 1 << 26 };
  const { status, stdout, stderr } = spawnSync('bash', ['-c', TIMED, binary, ...parameters], options);
  const seconds = stderr.trim().split('\n').at(-1).split(' ').map(Number);
  if (status !== 0) throw new Error(`${parameters.join(' ')} ended with ${status}:\n${stderr}`);
  const [real, user, system] = seconds.map((value) => value * 1000);
  return { real, processor: user + system, output: stdout };
}

const folder = mkdtempSync(join(tmpdir(), 'bench-openapi-'));
try {
  const large = document();
  const kinds = { 'YAML, 200 operations': yaml(large).trimStart(), 'JSON, 200 operations': JSON.stringify(large) };
  const ways = [{ name: '--version', cwd: folder, parameters: ['--version'], size: 0 }];
  for (const [name, text] of Object.entries(kinds)) {
    const cwd = join(folder, name.slice(0, 4));
    mkdirSync(cwd);
    writeFileSync(join(cwd, 'openapi.yaml'), text);
    writeFileSync(join(cwd, 'clerk-mcp.toml'), CONFIGURATION('openapi.yaml'));
    ways.push({ name, cwd, parameters: ['tools', '--config', 'clerk-mcp.toml'], size: text.length });
  }
  const times = ways.map(() => []);
  for (let run = 0; run < RUNS; run += 1) {
    for (const [index, { name, cwd, parameters }] of ways.entries()) {
      const { output, ...taken } = time(cwd, parameters);
      times[index].push(taken);
      if (index > 0 && !(output.includes('getThing0') && output.includes(`putThing${OPERATIONS / 2 - 1}`))) {
        throw new Error(`${name}: not every operation is a tool:\n${output}`);
      }
    }
  }
  console.log(`${new Date().toISOString().slice(0, 10)}, load ${loadavg()[0].toFixed(2)}, ${RUNS} runs of each, in turns\n`);
  console.log('| | KB | start to end, ms: min | median | on a processor, ms: min | median |');
  console.log('| --- | ---: | ---: | ---: | ---: | ---: |');
  for (const [index, { name, size }] of ways.entries()) {
    const figures = ['real', 'processor'].flatMap((field) => {
      const sorted = times[index].map((taken) => taken[field]).sort((one, other) => one - other);
      return [sorted[0], sorted[Math.floor(sorted.length / 2)]].map((figure) => figure.toFixed(0));
    });
    console.log(`| ${name} | ${size ? Math.round(size / 1024) : ''} | ${figures.join(' | ')} |`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
