// `clerk-mcp serve` beside `clerk-mcp emulate`: two processes, as the server and Clerk are two.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, startServer } from './process.mjs';

const SECRET_KEY = 'sk_test_emulate';

/** What collecting many codes from one address needs, and no bound on how many calls are made. */
const UNBOUNDED = { calls_per_second: 0 };

// Everything else is as it is by default but for the demonstration's tools, and those of ours.
const configuration = (publicUrl, limits, tools) => `
public_url = "${publicUrl}"
bind = "${new URL(publicUrl).host}"
trusted_proxies = ["127.0.0.1"]

[limits]
${Object.entries(limits).map(([name, value]) => `${name} = ${value}`).join('\n')}

[oauth]
code_lifetime = "10m"

[demo]
tools = true

[[access]]
everyone = true
tools = ${JSON.stringify(['userInfo', 'add', ...tools])}
`;

export async function startEmulator({ clerkMcp, folder }) {
  const log = join(folder, 'emulator.log');
  return startServer([clerkMcp, 'emulate', '--port', '0'], { log, pattern: /http:\/\/127\.0\.0\.1:[1-9]\d*/ });
}

/**
 * A server with a database of its own, in a folder of this name; `more` ends its configuration. `program` is
 * what is started in place of `clerk-mcp serve`. `again` starts it anew once it was stopped.
 */
export async function startClerkMcp(programs, emulator, name, { more = '', limits = UNBOUNDED, program, args = [] } = {}) {
  const publicUrl = `http://127.0.0.1:${await freePort()}`;
  const application = await registerAtClerk(emulator.url, `${publicUrl}/callback`);
  const cwd = join(programs.folder, name);
  mkdirSync(cwd);
  writeFileSync(join(cwd, 'clerk-mcp.toml'), configuration(publicUrl, limits, program ? ['wait'] : []) + more);
  const again = async () => {
    const server = await startServer(program ? [program, ...args] : [programs.clerkMcp, 'serve'], {
      cwd,
      log: join(cwd, 'serve.log'),
      env: {
        CLERK_SECRET_KEY: SECRET_KEY,
        CLERK_API_URL: emulator.url,
        CLERK_FRONTEND_API: emulator.url,
        CLERK_CLIENT_ID: application.client_id,
        CLERK_CLIENT_SECRET: application.client_secret,
      },
    });
    return { ...server, origin: publicUrl, folder: cwd, again };
  };
  return again();
}

async function registerAtClerk(url, redirectUri) {
  const response = await fetch(`${url}/v1/oauth_applications`, {
    method: 'POST',
    headers: { authorization: `Bearer ${SECRET_KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      name: 'clerk-mcp',
      redirect_uris: [redirectUri],
      scopes: 'openid profile email offline_access user:org:read',
    }),
  });
  if (!response.ok) throw new Error(`Clerk registers no application: ${await response.text()}`);
  return response.json();
}
