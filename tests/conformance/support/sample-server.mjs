// An authorization server with what makes a real sign-in hard for a client: consent bound to a cookie and to the page's
// origin, and a sign-in on another port with a cookie of its own. `fault` breaks one thing.

import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';

/** Starts it. Its issuer, and what ends it. */
export async function startSample(fault = null) {
  /** Handle → what the client asked for, and the browser that it came through. */
  const requests = new Map();
  const codes = new Map();

  const signIn = await listen({
    'GET /sign-in': ({ query }) => ({
      cookie: 'session=none',
      html: `<form><input name="email" required><button>Send me a code</button></form>
        <form method="post" action="/person?${query}"><select name="person"><option value="u1">Ava</option></select>
        <button>Cancel</button><button name="go" value="1">Continue</button></form>`,
    }),
    'POST /person': ({ query, form, cookies }) =>
      cookies.includes('session=none') && form.get('person') === 'u1' && form.get('go') === '1'
        ? { location: `${query.get('back')}?${query}` }
        : { status: 400 },
  });

  const own = await listen({
    'GET /.well-known/oauth-authorization-server': () => ({ json: metadata(own.origin) }),
    'GET /.well-known/oauth-protected-resource': () => ({ json: { resource: `${own.origin}/mcp` } }),
    'POST /register': () => ({ status: 201, json: { client_id: 'sample' } }),
    'GET /authorize': ({ query }) => {
      const handle = randomUUID();
      requests.set(handle, { ...Object.fromEntries(query), browser: `browser=${handle}` });
      return {
        cookie: `browser=${handle}`,
        html: `<form method="post" action="/consent?a=1&amp;b=2"><input type="hidden" name="handle" value="${handle}">
          <input type="checkbox" name="scope" value="read" checked><input type="checkbox" name="remember" value="yes">
          <button name="decision" value="deny">Deny</button><button name="decision" value="approve">Approve</button></form>`,
      };
    },
    'POST /consent': ({ query, form, cookies, headers }) => {
      const handle = form.get('handle');
      const isTheirs = cookies.includes(requests.get(handle)?.browser) && headers.origin === own.origin;
      const isWhole = query.get('b') === '2' && form.get('decision') === 'approve' && form.get('scope') === 'read';
      if (!isTheirs || !isWhole || form.has('remember')) return { status: 403 };
      const next = new URLSearchParams({ state: handle, back: `${own.origin}/callback` });
      return { location: `${signIn.origin}/sign-in?${next}` };
    },
    'GET /callback': ({ query, cookies }) => {
      const request = requests.get(query.get('state'));
      if (!cookies.includes(request?.browser)) return { status: 403 };
      const code = randomUUID();
      codes.set(code, request);
      const iss = fault === 'issuer' ? 'https://other.example' : own.origin;
      return { location: `${request.redirect_uri}?${new URLSearchParams({ code, state: request.state, iss })}` };
    },
    'POST /token': ({ form }) => {
      const request = codes.get(form.get('code'));
      const verifier = createHash('sha256').update(form.get('code_verifier') ?? '').digest('base64url');
      if (verifier !== request?.code_challenge) return { status: 400, json: { error: 'invalid_grant' } };
      return { json: { access_token: randomUUID(), token_type: 'Bearer' }, isKept: fault === 'cache' };
    },
  });

  return {
    issuer: own.origin,
    stop: () => {
      for (const { server } of [own, signIn]) server.close().closeAllConnections();
    },
  };

  function metadata(issuer) {
    return {
      issuer,
      authorization_endpoint: `${issuer}/authorize`,
      token_endpoint: `${issuer}/token`,
      registration_endpoint: `${issuer}/register`,
      response_types_supported: ['code'],
      code_challenge_methods_supported: ['S256'],
      token_endpoint_auth_methods_supported: ['none'],
      client_id_metadata_document_supported: fault !== 'cimd',
    };
  }
}

/** Serves `routes` (method and path → the answer to a request) on a free port. */
async function listen(routes) {
  const server = createServer(async (request, response) => {
    const url = new URL(request.url, 'http://127.0.0.1');
    const body = (await request.toArray()).join('');
    const { headers } = request;
    const cookies = (headers.cookie ?? '').split('; ');
    const answer = routes[`${request.method} ${url.pathname}`] ?? (() => ({ status: 404 }));
    const sent = answer({ query: url.searchParams, form: new URLSearchParams(body), cookies, headers });
    response.statusCode = sent.status ?? (sent.location ? 303 : 200);
    if (sent.location) response.setHeader('location', sent.location);
    if (sent.cookie) response.setHeader('set-cookie', `${sent.cookie}; Path=/; HttpOnly; SameSite=Lax`);
    if (!sent.isKept) response.setHeader('cache-control', 'no-store');
    response.setHeader('content-type', sent.json ? 'application/json' : 'text/html');
    response.end(sent.json ? JSON.stringify(sent.json) : (sent.html ?? ''));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return { server, origin: `http://127.0.0.1:${server.address().port}` };
}
