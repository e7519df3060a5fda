// The official TypeScript clients over HTTP, in one shape: each as its documentation has an application use it.

import * as v2 from '@modelcontextprotocol/client';
import * as v1Auth from '@modelcontextprotocol/sdk/client/auth.js';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { Application } from './oauth-provider.mjs';
import { Wire } from './wire.mjs';

const MODERN = '2026-07-28';
const INFO = { name: 'remote-tests', version: '1.0.0' };
const ASKS = { elicitation: { form: {} } };

/** Hears that its tools have changed, lists anew by itself, and hands on what it listed. */
const listens = (onTools) => onTools && { listChanged: { tools: { debounceMs: 0, onChanged: (error, tools) => onTools(error ?? tools.map(({ name }) => name)) } } };

const clientV2 = (options) => ({
  UnauthorizedError: v2.UnauthorizedError,
  client(onQuestion, onTools) {
    const client = new v2.Client(INFO, { ...options, ...listens(onTools), ...(onQuestion && { capabilities: ASKS }) });
    if (onQuestion) client.setRequestHandler('elicitation/create', ({ params }) => onQuestion(params));
    return client;
  },
  transport: (url, app, wire) => new v2.StreamableHTTPClientTransport(url, { authProvider: app, fetch: wire.fetch }),
  finish: (transport, answer) => transport.finishAuth(answer),
  auth: v2.auth,
});

const clientV1 = {
  UnauthorizedError: v1Auth.UnauthorizedError,
  client(onQuestion, onTools) {
    const client = new ClientV1(INFO, { ...listens(onTools), capabilities: onQuestion ? ASKS : {} });
    if (onQuestion) client.setRequestHandler(ElicitRequestSchema, ({ params }) => onQuestion(params));
    return client;
  },
  transport: (url, app, wire) => new TransportV1(url, { authProvider: app, fetch: wire.fetch }),
  // This version looks at the code alone.
  finish: (transport, answer) => {
    if (answer.has('error')) throw new Error(answer.get('error'));
    return transport.finishAuth(answer.get('code'));
  },
  auth: v1Auth.auth,
};

/** The client of the transport of 2024-11-05; it speaks a later revision over it. */
export const SSE_CLIENT = {
  name: 'TypeScript SDK 1 over SSE',
  kind: { ...clientV1, transport: (url, app, wire) => new SSEClientTransport(url, { authProvider: app, fetch: wire.fetch }) },
};

/**
 * Each with its `kind`: what makes and drives it. `comesBack` to a stream that ended with an error: version 1 alone takes
 * only a result for the end.
 */
export const CLIENTS = [
  { name: 'TypeScript client 2, 2025-11-25', version: '2025-11-25', hasSessions: true, stepsUp: true, kind: clientV2({}) },
  { name: 'TypeScript client 2, 2026-07-28', version: MODERN, hasSessions: false, stepsUp: true, kind: clientV2({ versionNegotiation: { mode: { pin: MODERN } } }) },
  { name: 'TypeScript SDK 1', version: '2025-11-25', hasSessions: true, stepsUp: false, comesBack: true, kind: clientV1 },
];

/**
 * Connects an application that knows nothing but the URL: it is refused, the person signs in, it connects.
 *
 * @param {{kind: object}} client one of `CLIENTS`
 * @param {URL} url the MCP endpoint
 * @param {object} person who signs in, as for `signIn`
 * @param {{identity?: object, onQuestion?: Function, onTools?: Function, scope?: string}} options `identity` as for
 *   `Application`; `onTools` hears the tools' names whenever they have changed; `scope` when the application wants more
 *   than it is first told to
 */
export async function connect(t, { kind }, url, person, { identity, onQuestion, onTools, scope } = {}) {
  const app = new Application(person, identity);
  const wire = new Wire();
  const first = kind.transport(url, app, wire);
  if (scope) {
    await kind.auth(app, { serverUrl: url, scope, fetchFn: wire.fetch });
  } else {
    await wantsSignIn({ kind }, kind.client().connect(first));
  }
  await kind.finish(first, await app.answer());
  const transport = kind.transport(url, app, wire);
  const client = kind.client(onQuestion, onTools);
  await client.connect(transport);
  t.after(() => client.close());
  return { app, wire, transport, client, finish: (answer) => kind.finish(transport, answer) };
}

/** Asserts that the client asks for a new sign-in. */
export async function wantsSignIn({ kind }, promise) {
  const error = await promise.then(() => null, (error) => error);
  if (!(error instanceof kind.UnauthorizedError)) throw error ?? new Error('no sign-in was asked for');
}
