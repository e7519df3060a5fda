// An MCP client as far as the browser sees it: it registers, has a place to come back to, and redeems its code.

import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { once } from 'node:events';

const base64url = (bytes) => Buffer.from(bytes).toString('base64url');

/** Where an authorization server has what a client needs, if it says so nowhere. */
const ownEndpoints = (issuer) => ({ registration: `${issuer}/register`, authorization: `${issuer}/authorize`, token: `${issuer}/token` });

/**
 * What a client finds out from the address of an MCP endpoint alone: the endpoints of the authorization server that
 * the metadata of the refused request names, that server, the resource, and the scopes to ask for.
 */
export async function discover(mcp) {
  const refused = await fetch(mcp, { method: 'POST', body: '{}' });
  const challenge = refused.headers.get('www-authenticate');
  const [, metadata] = challenge.match(/resource_metadata="([^"]+)"/);
  const { resource, authorization_servers: [issuer], scopes_supported: scopes = [] } = await (await fetch(metadata)).json();
  const server = await (await fetch(`${issuer}/.well-known/oauth-authorization-server`)).json();
  const endpoints = { registration: server.registration_endpoint, authorization: server.authorization_endpoint, token: server.token_endpoint };
  return { status: refused.status, issuer, resource, scopes, server, endpoints };
}

/** Listens for the way back, unless that is `elsewhere`; `stop` ends it. */
export async function startClient(issuer, name = 'Browser test', elsewhere, { endpoints = ownEndpoints(issuer), resource, scopes = [] } = {}) {
  const returned = [];
  const server = createServer((request, response) => {
    const url = new URL(request.url, 'http://client');
    if (url.pathname === '/callback') returned.push(Object.fromEntries(url.searchParams));
    response.setHeader('Content-Type', 'text/html').end('<title>Back at the client</title><h1>Back at the client</h1>');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const redirectUri = elsewhere ?? `http://127.0.0.1:${server.address().port}/callback`;
  const registration = await fetch(endpoints.registration, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ client_name: name, redirect_uris: [redirectUri], token_endpoint_auth_method: 'none', ...(scopes.length > 0 && { scope: scopes.join(' ') }) }),
  });
  const { client_id: clientId } = await registration.json();
  const verifier = base64url(randomBytes(32));
  return {
    returned,
    authorizeUrl(scope = 'tools:read tools:write') {
      const url = new URL(endpoints.authorization);
      url.search = new URLSearchParams({
        response_type: 'code',
        client_id: clientId,
        redirect_uri: redirectUri,
        scope,
        state: 'the-clients-state',
        code_challenge: base64url(createHash('sha256').update(verifier).digest()),
        code_challenge_method: 'S256',
        ...(resource && { resource }),
      });
      return url.href;
    },
    async redeem(code) {
      const answer = await fetch(endpoints.token, {
        method: 'POST',
        body: new URLSearchParams({
          grant_type: 'authorization_code',
          code,
          client_id: clientId,
          redirect_uri: redirectUri,
          code_verifier: verifier,
        }),
      });
      return { status: answer.status, body: await answer.json() };
    },
    stop: () => server.close(),
  };
}

/** Calls a tool with an access token, at the revision without sessions. */
export async function callTool(issuer, token, name, args = {}) {
  const version = '2026-07-28';
  const meta = {
    'io.modelcontextprotocol/protocolVersion': version,
    'io.modelcontextprotocol/clientInfo': { name: 'browser-test', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': {},
  };
  const answer = await fetch(`${issuer}/mcp`, {
    method: 'POST',
    headers: {
      Authorization: `Bearer ${token}`,
      Accept: 'application/json, text/event-stream',
      'Content-Type': 'application/json',
      'MCP-Protocol-Version': version,
      'Mcp-Method': 'tools/call',
      'Mcp-Name': name,
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: args, _meta: meta } }),
  });
  return { status: answer.status, body: await answer.json().catch(() => undefined) };
}
