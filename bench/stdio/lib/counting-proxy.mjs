// Passes requests on to the emulator, and remembers when each came and what was answered.

import { once } from 'node:events';
import { Agent, createServer, request } from 'node:http';

export async function startCountingProxy(url) {
  const agent = new Agent({ keepAlive: true });
  const seen = [];
  const server = createServer((incoming, outgoing) => {
    const row = { at: performance.now(), status: null };
    seen.push(row);
    const { method, headers } = incoming;
    const onward = request(`${url}${incoming.url}`, { agent, method, headers }, (answer) => {
      row.status = answer.statusCode;
      outgoing.writeHead(answer.statusCode, answer.headers);
      answer.pipe(outgoing);
    });
    onward.on('error', () => outgoing.destroy());
    incoming.pipe(onward);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    seen,
    stop() {
      server.closeAllConnections();
      server.close();
      agent.destroy();
    },
  };
}

/** The most requests in any window of this length, which includes its first moment only. */
export function busiestWindow(seen, lengthMs) {
  let most = 0;
  let first = 0;
  seen.forEach(({ at }, last) => {
    while (at - seen[first].at >= lengthMs) {
      first += 1;
    }
    most = Math.max(most, last - first + 1);
  });
  return most;
}
