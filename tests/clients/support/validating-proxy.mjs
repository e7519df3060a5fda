// A proxy before the emulator that checks every answer against Clerk's OpenAPI file.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { SPECIFICATIONS } from './binary.mjs';
import { OpenApi } from './openapi.mjs';

const FILE = join(SPECIFICATIONS, 'bapi-2026-05-12.yml');
const OPENAPI = existsSync(FILE) ? new OpenApi(FILE) : null;

/** Why answers are not checked, if they are not. */
export const UNCHECKED = OPENAPI ? null : `answers are not checked: there is no ${FILE}, set CLERK_SPEC_DIR`;

/** Every operation that was answered through a proxy, with its statuses. */
export const ANSWERED = new Map();

/** Starts the proxy. When the test ends, every answer must have been as the file says. */
export async function startValidatingProxy(t, target) {
  if (UNCHECKED) t.diagnostic(UNCHECKED);
  const faults = [];
  const server = createServer(async (incoming, outgoing) => {
    const chunks = [];
    for await (const chunk of incoming) chunks.push(chunk);
    const { host, connection, 'transfer-encoding': _, ...headers } = incoming.headers;
    const body = Buffer.concat(chunks);
    const response = await fetch(target + incoming.url, {
      method: incoming.method,
      headers,
      body: body.length > 0 ? body : undefined,
      redirect: 'manual',
    });
    const text = await response.text();
    faults.push(...check(incoming, response, text));
    const passed = ['content-type', 'retry-after', 'clerk-api-version', 'cf-ray', 'x-clerk-trace-id'];
    outgoing.writeHead(response.status, Object.fromEntries([...response.headers].filter(([name]) => passed.includes(name))));
    outgoing.end(text);
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => {
    server.closeAllConnections();
    server.close();
    assert.deepEqual([...new Set(faults)], [], 'answers that are not as the OpenAPI file says');
  });
  return `http://127.0.0.1:${server.address().port}`;
}

function check({ method, url }, response, body) {
  if (!OPENAPI) return [];
  const path = decodeURI(url.split('?')[0]).replace(/^\/v1/, '');
  const { status } = response;
  const operation = OPENAPI.find(method, path)?.id ?? `${method} ${path}`;
  ANSWERED.set(operation, (ANSWERED.get(operation) ?? new Set()).add(status));
  const contentType = response.headers.get('content-type');
  return OPENAPI.faults({ method, path, status, contentType, body });
}
