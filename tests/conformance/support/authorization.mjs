// `conformance authorization`: an authorization server. The suite prints the URL that a browser is to open and waits
// at its redirect URI; here is who opens it.

import { freePort } from '../../support/ports.mjs';
import { judge, readChecks } from './checks.mjs';
import { signIn } from './sign-in.mjs';
import { runSuite } from './suite.mjs';

/** Tests the authorization server `issuer`; the suite writes what it finds to `results`. */
export async function testAuthorization(issuer, { revision, namesResource, results }) {
  const metadata = await json(wellKnown(issuer, 'oauth-authorization-server'));
  const port = await freePort();
  const redirectUri = `http://127.0.0.1:${port}/callback`;
  const client = await register(metadata, redirectUri);
  const args = ['authorization', '--url', issuer, '--client-id', client.client_id, '--port', String(port)];
  args.push('--spec-version', revision, '--output-dir', results);
  if (namesResource) {
    const { resource } = await json(wellKnown(issuer, 'oauth-protected-resource'));
    args.push('--resource', resource);
  }
  const start = `${metadata.authorization_endpoint}?`;
  const onLine = (line) => (line.startsWith(start) ? signIn(line.trim(), redirectUri) : null);
  const ended = await runSuite(args, { onLine, limitMs: 300_000 });
  const name = `authorization ${revision}${namesResource ? '' : ', no resource named'}`;
  return judge(name, readChecks(results), ended);
}

/** RFC 8414, section 3.1, and RFC 9728, section 3.1: before the path. */
function wellKnown(url, name) {
  const { origin, pathname } = new URL(url);
  return `${origin}/.well-known/${name}${pathname === '/' ? '' : pathname}`;
}

async function json(url, request) {
  const response = await fetch(url, request);
  const text = await response.text();
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${text.slice(0, 500)}`);
  return JSON.parse(text);
}

/** RFC 7591: a public client, as most MCP clients are. */
function register(metadata, redirectUri) {
  const client = {
    client_name: 'MCP conformance suite',
    redirect_uris: [redirectUri],
    grant_types: ['authorization_code'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  };
  return json(metadata.registration_endpoint, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(client),
  });
}
