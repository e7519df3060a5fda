// `clerk-mcp dev` with sign-in through an application, and somebody with a client, a browser and a session.

import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BINARY, environment } from '../../clients/support/binary.mjs';
import { Browser } from '../../clients/support/browser.mjs';

const CLERK_KEY = 'sk_test_emulate';
const REDIRECT_URI = 'http://127.0.0.1:9/callback';
const VERIFIER = randomBytes(32).toString('base64url');

/** Server and emulated Clerk; also sets what the application finds in its environment. */
export async function startServer(t, appUrl) {
  const folder = mkdtempSync(join(tmpdir(), 'clerk-mcp-auth-route-'));
  const config = join(folder, 'clerk-mcp.toml');
  writeFileSync(config, `[sign_in]\nmode = "app"\napp_url = "${appUrl}"\n`);
  const args = ['dev', '--port', '0', '--clerk-port', '0', '--app-port', '0', '--dir', join(folder, 'state'), '--config', config];
  const child = spawn(BINARY, args, { env: environment(), stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = new Promise((done) => child.on('close', done));
  let log = '';
  const banner = await new Promise((done, fail) => {
    child.stderr.on('data', (chunk) => {
      log += chunk;
      if (log.includes('Stop with')) done(log);
    });
    child.on('close', (code) => fail(new Error(`clerk-mcp ended with ${code}: ${log}`)));
  });
  t.after(async () => {
    child.kill('SIGTERM');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  });
  const url = banner.match(/MCP server +(http\S+)\/mcp/)[1];
  const clerkUrl = banner.match(/Local Clerk +(\S+)/)[1];
  Object.assign(process.env, {
    CLERK_API_URL: clerkUrl,
    CLERK_SECRET_KEY: CLERK_KEY,
    CLERK_PUBLISHABLE_KEY: `pk_test_${Buffer.from(`${new URL(clerkUrl).host}$`).toString('base64')}`,
    CLERK_TELEMETRY_DISABLED: '1',
    MCP_CALLBACK_URL: `${url}/callback`,
  });
  return { url, clerkUrl, config, log: () => log, clerk: (method, path, body) => askClerk(clerkUrl, method, path, body) };
}

async function askClerk(clerkUrl, method, path, body) {
  const response = await fetch(`${clerkUrl}${path}`, {
    method,
    headers: { authorization: `Bearer ${CLERK_KEY}`, 'content-type': 'application/json' },
    body: body && JSON.stringify(body),
  });
  return response.status === 204 ? null : response.json();
}

/** A session of this person's at Clerk, and a token of it. */
export async function session(server, person, organization) {
  const created = { user_id: person, active_organization_id: organization };
  const { id } = await server.clerk('POST', '/v1/sessions', created);
  const { jwt } = await server.clerk('POST', `/v1/sessions/${id}/tokens`, {});
  return { id, jwt };
}

/** A client, and a browser in which somebody has just approved: it is about to open `url` at the application. */
export async function approved(server, redirectUri = REDIRECT_URI) {
  const registered = await post(`${server.url}/register`, JSON.stringify({
    client_name: 'Example & Client',
    redirect_uris: [redirectUri],
    grant_types: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_method: 'none',
  }));
  const { client_id: clientId } = await registered.json();
  const url = new URL(`${server.url}/authorize`);
  url.search = new URLSearchParams({
    response_type: 'code',
    client_id: clientId,
    redirect_uri: redirectUri,
    state: 'the-clients-state',
    code_challenge: createHash('sha256').update(VERIFIER).digest('base64url'),
    code_challenge_method: 'S256',
  });
  const browser = new Browser();
  const page = await browser.send((await browser.send(url)).location);
  const form = [...page.text.matchAll(/<input[^>]*name="(handle|scope)"[^>]*value="([^"]*)"/g)];
  const fields = [...form.map(([, name, value]) => [name, value]), ['decision', 'approve']];
  const { location } = await browser.send(`${server.url}/authorize/consent`, {
    form: fields,
    headers: { origin: server.url },
  });
  const redeem = (code) => token(server, clientId, {
    grant_type: 'authorization_code',
    code,
    redirect_uri: redirectUri,
    code_verifier: VERIFIER,
  });
  const refresh = (refreshToken) => token(server, clientId, { grant_type: 'refresh_token', refresh_token: refreshToken });
  return { browser, url: location, redeem, refresh };
}

async function token(server, clientId, fields) {
  const response = await post(`${server.url}/token`, new URLSearchParams({ client_id: clientId, ...fields }));
  return { status: response.status, ...(await response.json()) };
}

const post = (url, body) => fetch(url, { method: 'POST', body });

/** Calls the tool `userInfo`. */
export async function userInfo(server, accessToken) {
  const headers = {
    authorization: `Bearer ${accessToken}`,
    accept: 'application/json, text/event-stream',
    'content-type': 'application/json',
  };
  const ask = (body, more) => fetch(`${server.url}/mcp`, {
    method: 'POST',
    headers: { ...headers, ...more },
    body: JSON.stringify({ jsonrpc: '2.0', ...body }),
  });
  const params = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'test', version: '1' } };
  const opened = await ask({ id: 1, method: 'initialize', params });
  const more = { 'mcp-session-id': opened.headers.get('mcp-session-id'), 'mcp-protocol-version': '2025-06-18' };
  await opened.text();
  await (await ask({ method: 'notifications/initialized' }, more)).text();
  const called = await ask({ id: 2, method: 'tools/call', params: { name: 'userInfo', arguments: {} } }, more);
  const text = await called.text();
  const data = text.split('\n').filter((line) => line.startsWith('data: {')).map((line) => line.slice(6)).pop() ?? text;
  return JSON.parse(data).result.structuredContent;
}
