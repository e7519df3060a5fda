// The remote server on free ports, in a folder that is gone after the test: `clerk-mcp dev`, and `clerk-mcp serve`
// beside an emulator.

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClerkClient } from '@clerk/backend';
import { freePort } from '../../support/ports.mjs';
import { BINARY, environment } from './binary.mjs';
import { EMULATOR_KEY, startEmulator } from './emulator.mjs';

const MINUTE = 60_000;

const newFolder = () => mkdtempSync(join(tmpdir(), 'clerk-mcp-remote-'));
const remove = (path) => rmSync(path, { recursive: true, force: true });

/** A folder that is gone after the test. */
export function folder(t) {
  const path = newFolder();
  t.after(() => remove(path));
  return path;
}

/**
 * `clerk-mcp dev`: server and emulator, by one clock.
 *
 * @returns the server's origin, its MCP endpoint, the origin of its application, what steers the emulator, the log, and
 *   `killAndStartAgain`
 */
export async function startDev(t, args = []) {
  const dir = newFolder();
  const startAt = (port) => start(t, dir, ['dev', '--port', port, '--clerk-port', '0', '--app-port', '0', '--dir', dir, ...args], /Local Clerk +(\S+)[^]*Stop with/);
  // Not one that the system chooses, and may give to somebody else before the server takes it again.
  const dev = await startAt(String(await freePort()));
  const url = dev.output().match(/MCP server +(http\S+)\/mcp/)[1];
  const [, appUrl] = dev.output().match(/Demo shop +(http\S+)/);
  /** Kills it (SIGKILL), and starts it where it was: to its clients it is the same one. */
  const killAndStartAgain = async () => {
    dev.kill();
    await dev.ended;
    await startAt(new URL(url).port);
  };
  return { ...dev, url, appUrl, mcp: new URL(`${url}/mcp`), killAndStartAgain, ...steering(dev.named) };
}

/** `clerk-mcp serve` with this configuration, as an OAuth application of an emulator of its own. By the real clock. */
export async function startServe(t, config, env = {}) {
  const emulator = await startEmulator(t);
  const url = `http://127.0.0.1:${await freePort()}`;
  const clerk = createClerkClient({ secretKey: EMULATOR_KEY, apiUrl: emulator.url });
  const application = await clerk.oauthApplications.create({
    name: 'Remote MCP server',
    redirectUris: [`${url}/callback`],
    scopes: 'openid profile email offline_access user:org:read',
  });
  const dir = newFolder();
  const path = join(dir, 'clerk-mcp.toml');
  writeFileSync(path, config);
  const settings = {
    CLERK_SECRET_KEY: EMULATOR_KEY,
    CLERK_API_URL: emulator.url,
    CLERK_FRONTEND_API: emulator.url,
    CLERK_CLIENT_ID: application.clientId,
    CLERK_CLIENT_SECRET: application.clientSecret,
    COOKIE_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
    ...env,
  };
  const args = ['serve', '--config', path, '--bind', new URL(url).host, '--database', join(dir, 'clerk-mcp.db')];
  const serve = await start(t, dir, args, /serving (http\S+)\/mcp/, settings);
  return { ...serve, url: serve.named, mcp: new URL(`${url}/mcp`), clerkUrl: emulator.url, settings, config: path };
}

/** Starts the binary, waits until it names itself as `named` tells, and ends it after the test; then its folder goes. */
async function start(t, dir, args, named, env = {}) {
  const child = spawn(BINARY, args, { env: environment(env), stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const ended = new Promise((done) => child.on('close', (code, signal) => done({ code, signal })));
  t.after(async () => {
    child.kill('SIGTERM');
    await ended;
    remove(dir);
  });
  const name = await new Promise((done, fail) => {
    const timer = setTimeout(() => fail(new Error(`clerk-mcp ${args[0]} named no address: ${output}`)), 60_000);
    const look = (chunk) => {
      output += chunk;
      const found = output.match(named);
      if (!found) return;
      clearTimeout(timer);
      done(found[1]);
    };
    child.stdout.on('data', look);
    child.stderr.on('data', look);
    child.on('error', fail);
    child.on('close', (code) => fail(new Error(`clerk-mcp ${args[0]} ended with ${code}: ${output}`)));
  });
  return { named: name, ended, output: () => output, stop: () => child.kill('SIGTERM'), kill: () => child.kill('SIGKILL') };
}

/** What steers the emulator at `clerkUrl`. */
function steering(clerkUrl) {
  const control = async (method, path, body) => {
    const response = await fetch(`${clerkUrl}/_emulator/${path}`, {
      method,
      headers: body ? { 'content-type': 'application/json' } : {},
      body: body && JSON.stringify(body),
    });
    return response.status === 204 ? null : response.json();
  };
  return {
    clerkUrl,
    control,
    clerk: createClerkClient({ secretKey: EMULATOR_KEY, apiUrl: clerkUrl }),
    /** Lets access tokens run out: they live 15 minutes. */
    expireAccessTokens: () => control('POST', 'clock', { advance_ms: 16 * MINUTE }),
    /** Whoever asks Clerk gets 503, until `control('DELETE', 'faults')`. */
    breakClerk: () => control('POST', 'faults', { status: 503 }),
  };
}
