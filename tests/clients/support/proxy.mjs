// An HTTP proxy between a client and the server: it writes down what passes, and can lose answers after the server has
// done its work. Clients use it by their environment, so they know nothing but the server's own URL.

import { createServer, request as send } from 'node:http';

/**
 * Starts the proxy. For clients that connect by plain HTTP, with CONNECT or without.
 *
 * @returns {Promise<{env: Record<string, string>, exchanges: object[], refreshes: () => object[], loseRefreshes: Function}>}
 *   `env`: what makes a program use it; `exchanges` in order: method, path, status, `form` (what `/token` and `/revoke`
 *   were sent), `answer` (of `/token`), `isLost`, `isOver`
 */
export async function startProxy(t) {
  const exchanges = [];
  let losses = 0;
  const server = createServer(async (incoming, outgoing) => {
    const url = new URL(incoming.url, `http://${incoming.headers.host}`);
    const exchange = { method: incoming.method, path: url.pathname };
    exchanges.push(exchange);
    const body = await all(incoming);
    if (['/token', '/revoke'].includes(url.pathname)) exchange.form = Object.fromEntries(new URLSearchParams(body.toString()));
    const { 'proxy-connection': _, ...headers } = incoming.headers;
    const forwarded = send(url, { method: incoming.method, headers, agent: false });
    outgoing.on('close', () => forwarded.destroy());
    forwarded.on('error', () => outgoing.destroy());
    forwarded.on('response', async (answer) => {
      exchange.status = answer.statusCode;
      answer.on('close', () => void (exchange.isOver = true));
      answer.on('error', () => outgoing.destroy());
      if (url.pathname !== '/token') {
        outgoing.writeHead(answer.statusCode, answer.rawHeaders);
        outgoing.flushHeaders();
        answer.pipe(outgoing);
        return;
      }
      const text = await all(answer);
      exchange.answer = JSON.parse(text.toString());
      if (exchange.form.grant_type === 'refresh_token' && losses > 0) {
        losses -= 1;
        exchange.isLost = true;
        incoming.socket.destroy();
        return;
      }
      outgoing.writeHead(answer.statusCode, answer.rawHeaders);
      outgoing.end(text);
    });
    forwarded.end(body);
  });
  // What comes through a tunnel is looked at like everything else.
  server.on('connect', (_, socket) => {
    socket.on('error', () => socket.destroy());
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
    server.emit('connection', socket);
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${server.address().port}`;
  return {
    env: { HTTP_PROXY: url, http_proxy: url, NO_PROXY: '', no_proxy: '' },
    exchanges,
    refreshes: () => exchanges.filter(({ form }) => form?.grant_type === 'refresh_token'),
    /** The answers to the next refreshes are lost, after the server has done its work. */
    loseRefreshes: (count = 1) => void (losses = count),
  };
}

async function all(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}
