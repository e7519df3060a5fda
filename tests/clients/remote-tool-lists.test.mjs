// The tool list follows the person: the official TypeScript clients, left to themselves, hear that it has changed and list
// anew. Each is set up as its documentation has an application hear of changes (`listChanged`).

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { until } from '../support/until.mjs';
import { CLIENTS, connect, SSE_CLIENT } from './support/remote-clients.mjs';
import { folder, startDev } from './support/remote.mjs';
import { NOAH } from './support/seed.mjs';

const MINUTE = 60_000;
const DRAWS = 'generateImage';

for (const each of [...CLIENTS, SSE_CLIENT]) {
  describe(each.name, () => {
    const url = (dev) => (each === SSE_CLIENT ? new URL(`${dev.url}/sse`) : dev.mcp);

    /** A client that has listed its tools, and the lists that it made since because it was told to. */
    const listening = async (t, dev) => {
      const lists = [];
      const connection = await connect(t, each, url(dev), { user: NOAH }, { onTools: (names) => lists.push(names) });
      if (each.hasSessions) await until('the stream is open', () => connection.wire.last('/mcp', 'GET')?.status === 200);
      assert.equal(connection.client.getServerCapabilities().tools.listChanged, true);
      const { tools } = await connection.client.listTools();
      assert.ok(!tools.some(({ name }) => name === DRAWS));
      return { ...connection, lists };
    };

    /** Whether the last list is as it is to be, or none but an error. The client may hear of one change twice. */
    const hasListed = (lists, draws) => {
      const last = lists.at(-1);
      return Array.isArray(last) ? last.includes(DRAWS) === draws : last !== undefined;
    };

    /** A role, once the server may know: what it knows of a person is a minute old at most. */
    const setRole = async (dev, role) => {
      await dev.clerk.users.updateUserMetadata(NOAH, { publicMetadata: { role } });
      await dev.control('POST', 'clock', { advance_ms: MINUTE + 1 });
    };

    test('sees the tools of a role that its person was given, and loses them with it', async (t) => {
      const dev = await startDev(t);
      const { client, lists } = await listening(t, dev);
      for (const [role, draws] of [['premium', true], [null, false]]) {
        await setRole(dev, role);
        await until(`it has listed anew: ${role}`, () => hasListed(lists, draws));
        assert.ok(Array.isArray(lists.at(-1)), String(lists.at(-1)));
        if (draws) {
          const image = await client.callTool({ name: DRAWS, arguments: { prompt: 'a lighthouse' } });
          assert.equal(image.content[0].type, 'image');
        } else {
          await assert.rejects(client.callTool({ name: DRAWS, arguments: { prompt: 'a lighthouse' } }), /generateImage/);
        }
      }
    });

    if (each.hasSessions) {
      test('hears of other access rules in its session, though the server was killed meanwhile', async (t) => {
        const config = join(folder(t), 'clerk-mcp.toml');
        const rules = (tools) => writeFileSync(config, `[demo]\ntools = true\n\n[[access]]\neveryone = true\ntools = ${JSON.stringify(tools)}\n`);
        rules(['userInfo', 'add']);
        const dev = await startDev(t, ['--config', config]);
        const { transport, lists } = await listening(t, dev);
        const session = transport.sessionId;
        rules(['userInfo', 'add', DRAWS]);
        await dev.killAndStartAgain();
        await until('it has listed anew', () => hasListed(lists, true));
        assert.ok(Array.isArray(lists.at(-1)), String(lists.at(-1)));
        assert.deepEqual(lists.at(-1).toSorted(), ['add', DRAWS, 'userInfo']);
        assert.equal(transport.sessionId, session);
      });
    }
  });
}
