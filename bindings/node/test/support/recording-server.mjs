// An HTTP server on loopback that writes down what it is sent and answers as told.

import { createServer } from 'node:http';

/**
 * @param {(request: {method: string, url: string, headers: object, body: any}, response:
 *   import('node:http').ServerResponse) => void} answer
 */
export async function startRecordingServer(t, answer) {
  const requests = [];
  const server = createServer((incoming, response) => {
    let text = '';
    incoming.setEncoding('utf8');
    incoming.on('data', (chunk) => (text += chunk));
    incoming.on('end', () => {
      const { method, url, headers } = incoming;
      const request = { method, url, headers, body: text === '' ? null : JSON.parse(text) };
      requests.push(request);
      answer(request, response);
    });
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${server.address().port}`, requests };
}

/** Answers as Clerk does: the content type has no charset. */
export function answerJson(response, status, value, headers = {}) {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(typeof value === 'string' ? value : JSON.stringify(value));
}

/** Clerk's form of an error. */
export const clerkError = (code, message, more = {}) => ({
  errors: [{ code, message, long_message: message, ...more }],
  clerk_trace_id: 'trace_0123456789abcdef',
});
