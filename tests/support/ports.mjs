// Ports that a test has to know before anybody listens at them, or that somebody takes again after a restart.

import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/** A port of this machine that is free. None of those that the system hands out, so that it stays free. */
export async function freePort() {
  for (;;) {
    const port = randomInt(10_000, 30_000);
    const isFree = await new Promise((done) => {
      const server = createServer();
      server.on('error', () => done(false));
      server.listen(port, '127.0.0.1', () => server.close(() => done(true)));
    });
    if (isFree) return port;
  }
}
