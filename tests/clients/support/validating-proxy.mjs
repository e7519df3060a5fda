// A proxy before the emulator that checks every answer against Clerk's OpenAPI file.

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

/** What was wrong with answers, with the test in which they came. A test at the end looks at it. */
export const FAULTS = [];

/** Refusals that Clerk's documentation names and its OpenAPI file leaves out. */
const UNLISTED = {
  BanUser: [404],
  UnbanUser: [404],
  LockUser: [404],
  UnlockUser: [404],
  createSession: [403],
  CreateSessionToken: [422],
  ListOrganizationMemberships: [404],
  UpdateOrganizationMembership: [400],
  DeleteOrganizationMembership: [400],
  UsersGetOrganizationMemberships: [404],
  UpdateEmailAddress: [422],
};
/** What every operation may answer. */
const UNIVERSAL = [401, 413, 415, 429, 500, 503];

/** Starts the proxy. */
export async function startValidatingProxy(t, target) {
  if (UNCHECKED) t.diagnostic(UNCHECKED);
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
    FAULTS.push(...check(incoming, response, text).map((fault) => `${fault} (test: ${t.name})`));
    const passed = ['content-type', 'retry-after', 'clerk-api-version', 'cf-ray', 'x-clerk-trace-id'];
    outgoing.writeHead(response.status, Object.fromEntries([...response.headers].filter(([name]) => passed.includes(name))));
    outgoing.end(text);
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${server.address().port}`;
}

function check({ method, url }, response, body) {
  if (!OPENAPI) return [];
  const { pathname, searchParams: query } = new URL(url, 'http://proxy');
  const path = pathname.replace(/^\/v1/, '');
  const { status } = response;
  const operation = OPENAPI.find(method, path)?.id ?? `${method} ${path}`;
  ANSWERED.set(operation, (ANSWERED.get(operation) ?? new Set()).add(status));
  const contentType = response.headers.get('content-type');
  const isKnown = (id, status) => UNIVERSAL.includes(status) || (UNLISTED[id] ?? []).includes(status);
  return OPENAPI.faults({ method, path, query, status, contentType, body }, isKnown);
}
