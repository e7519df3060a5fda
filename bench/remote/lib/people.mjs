// Many access tokens, each of a grant of its own.

import { writeFileSync } from 'node:fs';
import { McpClient } from './sign-in.mjs';

/** How many sign in side by side. */
const SIDE_BY_SIDE = 8;

/** Signs in through so many clients, writes their access tokens to a file, one a line, and returns them. */
export async function writeTokens(origin, file, count) {
  const tokens = await collect(count, async () => (await McpClient.register(origin)).accessToken());
  writeFileSync(file, `${tokens.join('\n')}\n`);
  return tokens;
}

/** Signs in so many times through a few clients. */
export async function writeGrants(origin, file, count) {
  const clients = await collect(SIDE_BY_SIDE, () => McpClient.register(origin));
  const tokens = await collect(count, (number) => clients[number % SIDE_BY_SIDE].accessToken());
  writeFileSync(file, `${tokens.join('\n')}\n`);
  return tokens;
}

/** Each worker has its share, so that a client never does two things at once. */
async function collect(count, make) {
  const made = new Array(count);
  const workers = Array.from({ length: SIDE_BY_SIDE }, async (_, first) => {
    for (let number = first; number < count; number += SIDE_BY_SIDE) made[number] = await make(number);
  });
  await Promise.all(workers);
  return made;
}
