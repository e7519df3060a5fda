// The examples, copied to where their packages are, and applications around them.

import { createServer } from 'node:http';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import typescript from 'typescript';

const HERE = resolve(import.meta.dirname, '..');
const EXAMPLES = resolve(HERE, '../../examples/auth-mcp');
const COPIES = resolve(HERE, 'routes');

/** Copies the examples; gives their paths. Packages are looked for from where a file is. */
export function copyRoutes() {
  rmSync(COPIES, { recursive: true, force: true });
  cpSync(EXAMPLES, COPIES, { recursive: true });
  return ['next/route.ts', 'react-router/auth.mcp.ts', 'express/auth-mcp.mjs'].map((path) => resolve(COPIES, path));
}

/** An Express application with the route. */
export async function expressApp() {
  const { clerkMiddleware } = await import('@clerk/express');
  const { default: express } = await import('express');
  const { authMcp } = await import(resolve(COPIES, 'express/auth-mcp.mjs'));
  const app = express();
  app.use(clerkMiddleware());
  app.get('/auth/mcp', authMcp);
  return app;
}

/**
 * The route of Next.js, without Next.js: its `auth` is stood in for by one that believes a bearer token, and leads to
 * the sign-in as Clerk's does. The type-check holds the route against the real one.
 */
export async function nextRoute() {
  const standIn = resolve(COPIES, 'next/clerk.mjs');
  writeFileSync(standIn, `
    import { AsyncLocalStorage } from 'node:async_hooks';
    export const request = new AsyncLocalStorage();
    export const auth = async () => {
      const { url, headers } = request.getStore();
      const token = headers.get('authorization')?.replace('Bearer ', '');
      const back = new URL(url);
      const location = '/sign-in?redirect_url=' + encodeURIComponent(back.pathname + back.search);
      return {
        isAuthenticated: Boolean(token),
        getToken: async () => token,
        redirectToSignIn: () => new Response(null, { status: 307, headers: { location } }),
      };
    };
  `);
  const { GET } = await import(compile('next/route.ts', (text) => text.replace('@clerk/nextjs/server', './clerk.mjs')));
  const { request } = await import(standIn);
  return fetchHandler((asked) => request.run(asked, () => GET(asked)));
}

/** A React Router application with the route, as its server runs it. */
export async function reactRouterApp() {
  const compiled = compile('react-router/auth.mcp.ts');
  const { clerkMiddleware } = await import('@clerk/react-router/server');
  const { createRequestHandler } = await import('react-router');
  const handle = createRequestHandler(
    {
      entry: { module: { default: () => new Response('no page', { status: 500 }) } },
      routes: {
        root: { id: 'root', path: '', module: { default: () => null, middleware: [clerkMiddleware()] } },
        route: { id: 'route', parentId: 'root', path: 'auth/mcp', module: await import(compiled) },
      },
      assets: { entry: { imports: [], module: '' }, routes: {}, url: '', version: '' },
      future: { v8_middleware: true },
      ssr: true,
      isSpaMode: false,
      prerender: [],
      basename: '/',
      publicPath: '/',
      assetsBuildDirectory: '',
      routeDiscovery: { mode: 'initial' },
    },
    'production',
  );
  return fetchHandler(handle);
}

/** What is left of a copied route without its types, as a file of its own. */
function compile(path, change = (text) => text) {
  const source = change(readFileSync(resolve(COPIES, path), 'utf8'));
  const compilerOptions = { module: 'ESNext', target: 'ES2022' };
  const compiled = resolve(COPIES, path.replace(/ts$/, 'mjs'));
  writeFileSync(compiled, typescript.transpileModule(source, { compilerOptions }).outputText);
  return compiled;
}

/** A function of the Fetch API's as a handler of Node's. */
function fetchHandler(handle) {
  return async (incoming, outgoing) => {
    const url = `http://${incoming.headers.host}${incoming.url}`;
    const response = await handle(new Request(url, { headers: incoming.headers }));
    outgoing.writeHead(response.status, Object.fromEntries(response.headers));
    outgoing.end(await response.text());
  };
}

/** Serves an application on this port until the test is over. */
export async function listen(t, app, port) {
  const server = createServer(app);
  await new Promise((done) => server.listen(port, '127.0.0.1', done));
  t.after(() => server.close());
}
