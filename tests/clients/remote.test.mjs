// The official TypeScript clients against `clerk-mcp dev`, from the URL alone: discovery, registration, sign-in in a
// browser, calls, and everything that can happen to a sign-in afterwards.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { auth as authV1 } from '@modelcontextprotocol/sdk/client/auth.js';
import { connect, CLIENTS, wantsSignIn } from './support/remote-clients.mjs';
import { until } from '../support/until.mjs';
import { folder, startDev } from './support/remote.mjs';
import { AVA, LUCAS, LUMEN, NOAH, NORTHWIND, seedFile } from './support/seed.mjs';
import { call, refusal } from './support/tool-calls.mjs';

const WRITE = 'tools:read tools:write';
const AVAILABLE = ['add', 'userInfo', 'getUser'];

const names = async (client) => (await client.listTools()).tools.map(({ name }) => name);
const add = async (client) => assert.deepEqual((await client.callTool({ name: 'add', arguments: { a: 1, b: 2 } })).structuredContent, { sum: 3 });

for (const each of CLIENTS) {
  describe(each.name, () => {
    const open = async (t, user, options) => {
      const dev = await startDev(t, options?.args);
      const connection = await connect(t, each, dev.mcp, { user, organization: options?.organization }, options);
      // With sessions, these clients listen to the server too.
      if (each.hasSessions) await until('the stream is open', () => connection.wire.last('/mcp', 'GET')?.status === 200);
      return { dev, ...connection };
    };

    test('finds the way by itself, and signs in', async (t) => {
      const { app, wire, client, transport } = await open(t, AVA);
      assert.deepEqual(wire.lines().slice(0, 5), [
        'POST /mcp 401',
        'GET /.well-known/oauth-protected-resource/mcp 200',
        'GET /.well-known/oauth-authorization-server 200',
        'POST /register 201',
        'POST /token 200',
      ]);
      assert.match(wire.exchanges[0].headers.get('www-authenticate'), /^Bearer scope="tools:read", resource_metadata="http/);
      assert.equal(app.opened.length, 1);
      assert.deepEqual([app.tokens().scope, app.tokens().expires_in], ['tools:read', 900]);
      assert.equal(client.getServerVersion().name, 'clerk-mcp');
      assert.equal(transport.protocolVersion, each.version);
      assert.equal(typeof transport.sessionId === 'string', each.hasSessions);
    });

    test('lists and calls what the person may', async (t) => {
      const dev = await startDev(t);
      const people = [
        [AVA, 'Ava Mitchell', ['admin'], true, true],
        [LUCAS, 'Lucas Moreau', ['premium'], true, false],
        [NOAH, 'Noah Tanaka', ['engineer'], false, false],
      ];
      for (const [user, name, roles, draws, isAdmin] of people) {
        const { client } = await connect(t, each, dev.mcp, { user });
        const tools = await names(client);
        assert.ok(AVAILABLE.every((tool) => tools.includes(tool)), String(tools));
        assert.equal(tools.includes('generateImage'), draws, name);
        assert.equal(tools.includes('getUserList'), isAdmin, name);
        await add(client);
        const info = await call(client, 'userInfo');
        assert.deepEqual([info.user_id, info.name, info.roles], [user, name, roles]);
        if (draws) {
          const { content, isError } = await client.callTool({ name: 'generateImage', arguments: { prompt: 'a clerk' } });
          assert.deepEqual([isError ?? false, content[0].type, content[0].mimeType], [false, 'image', 'image/png']);
          assert.equal(Buffer.from(content[0].data, 'base64').subarray(1, 4).toString(), 'PNG');
        } else {
          await assert.rejects(client.callTool({ name: 'generateImage', arguments: { prompt: 'a clerk' } }), /generateImage/);
        }
        if (isAdmin) {
          assert.equal((await call(client, 'getUser', { userId: NOAH })).first_name, 'Noah');
        } else {
          assert.equal((await call(client, 'getUser')).id, user);
          assert.equal((await refusal(client, 'getUser', { userId: AVA })).code, 'invalid_arguments');
        }
      }
    });

    test('works in the organization that the person picked', async (t) => {
      const { client } = await open(t, NOAH, { organization: NORTHWIND });
      const info = await call(client, 'userInfo');
      assert.deepEqual([info.organization_id, info.organization_role], [NORTHWIND, 'org:member']);
      assert.equal((await call(client, 'getOrganization')).id, NORTHWIND);
    });

    test('asks for more rights when a tool needs them', async (t) => {
      const { dev, app, wire, client, transport, finish } = await open(t, NOAH);
      const { sessionId } = transport;
      const rename = () => call(client, 'updateUser', { firstName: 'Noa' });
      if (each.stepsUp) {
        await wantsSignIn(each, rename());
      } else {
        // Version 1 refreshes where it should ask, so its application has to.
        await assert.rejects(rename(), (error) => error.code === 403);
        const { scope } = wire.last('/mcp').headers.get('www-authenticate').match(/scope="(?<scope>[^"]*)"/).groups;
        app.invalidateCredentials('tokens');
        assert.equal(await authV1(app, { serverUrl: dev.mcp, scope, fetchFn: wire.fetch }), 'REDIRECT');
      }
      assert.match(wire.last('/mcp').headers.get('www-authenticate'), /error="insufficient_scope", .*scope="tools:read tools:write"/);
      assert.equal(app.opened.at(-1).searchParams.get('scope'), WRITE);
      await finish(await app.answer());
      assert.equal(app.tokens().scope, WRITE);
      assert.equal((await rename()).first_name, 'Noa');
      assert.equal(transport.sessionId, sessionId);
      assert.equal(wire.exchanges.filter(({ path }) => path === '/register').length, 1);
    });

    test('asks for all of it at first where it is told to', async (t) => {
      const config = join(folder(t), 'clerk-mcp.toml');
      writeFileSync(config, '[oauth]\nfirst_scopes = ["tools:read", "tools:write"]\n');
      const { app, client } = await open(t, NOAH, { args: ['--config', config] });
      assert.equal(app.opened[0].searchParams.get('scope'), WRITE);
      assert.equal((await call(client, 'updateUser', { firstName: 'Noa' })).first_name, 'Noa');
      assert.equal(app.opened.length, 1);
    });

    test('refreshes, also when an answer is lost', async (t) => {
      const { dev, app, wire, client } = await open(t, NOAH);
      const before = app.tokens();
      await dev.expireAccessTokens();
      await add(client);
      const after = app.tokens();
      assert.notEqual(after.access_token, before.access_token);
      assert.notEqual(after.refresh_token, before.refresh_token);
      assert.deepEqual([wire.refreshes().length, app.opened.length], [1, 1]);

      await dev.expireAccessTokens();
      wire.loseRefreshes();
      // Not to know what became of the refresh is no reason to sign in again, though these clients offer it.
      await wantsSignIn(each, add(client));
      assert.deepEqual(app.tokens(), after);
      await add(client);
      const [lost, repeated] = wire.refreshes().slice(-2);
      assert.deepEqual([lost.isLost, lost.status, repeated.status], [true, 200, 200]);
      assert.equal(repeated.presented, lost.presented);
      assert.equal(repeated.answer.refresh_token, lost.answer.refresh_token);
      assert.notEqual(repeated.answer.access_token, lost.answer.access_token);
      await dev.expireAccessTokens();
      await add(client);
      assert.equal(wire.exchanges.filter(({ grant }) => grant === 'authorization_code').length, 1);
    });

    test('refreshes many times at once, and stays signed in', async (t) => {
      const { dev, app, wire, client } = await open(t, NOAH);
      for (let round = 0; round < 5; round += 1) {
        await dev.expireAccessTokens();
        await Promise.all(Array.from({ length: 8 }, () => add(client).catch((error) => {
          // Version 1 has one flag for all of its requests: some of those at once may be given up, though the refresh
          // of another has just succeeded. Its application calls again.
          if (each.name !== 'TypeScript SDK 1' || !/401 after successful authentication/.test(error.message)) throw error;
          return add(client);
        })));
      }
      await add(client);
      assert.equal(app.opened.length, 1);
      const successors = new Map();
      for (const { presented, status, answer } of wire.refreshes()) {
        assert.equal(status, 200);
        successors.set(presented, (successors.get(presented) ?? new Set()).add(answer.refresh_token));
      }
      for (const given of successors.values()) assert.equal(given.size, 1, 'one rotation');
      assert.ok(wire.refreshes().length > successors.size, 'no two refreshes came at once');
    });

    test('is revoked: its stream ends and its tokens are worth nothing', async (t) => {
      const { dev, app, wire, client } = await open(t, NOAH);
      const other = await connect(t, each, dev.mcp, { user: NOAH });
      await add(client);
      const stream = wire.last('/mcp', 'GET');
      const [{ access_token: access, refresh_token: refresh }, { client_id }] = [app.tokens(), app.clientInformation()];
      const revoke = (token) => fetch(`${dev.url}/revoke`, { method: 'POST', body: new URLSearchParams({ token, client_id }) });
      assert.equal((await revoke(refresh)).status, 200);
      if (each.hasSessions) await until('the stream has ended', () => stream.isOver);
      const again = await fetch(dev.mcp, { method: 'POST', headers: { authorization: `Bearer ${access}` } });
      assert.equal(again.status, 401);
      assert.match(again.headers.get('www-authenticate'), /error="invalid_token"/);
      await wantsSignIn(each, add(client));
      assert.equal(wire.refreshes()[0].answer.error, 'invalid_grant');
      assert.equal((await revoke(refresh)).status, 200, 'as often as one likes (RFC 7009, section 2.2)');
      await add(other.client);
    });

    test('ends with a ban at Clerk, and outlives an outage of Clerk', async (t) => {
      const { dev, app, wire, client } = await open(t, NOAH);
      await dev.expireAccessTokens();
      await dev.breakClerk();
      await assert.rejects(add(client), (error) => error.code === 'temporarily_unavailable' || error.errorCode === 'temporarily_unavailable' || assert.fail(String(error.stack)));
      const refused = wire.last('/token');
      assert.deepEqual([refused.status, refused.answer.error], [503, 'temporarily_unavailable']);
      assert.ok(Number(refused.headers.get('retry-after')) > 0);
      await dev.control('DELETE', 'faults');
      await add(client);
      assert.equal(app.opened.length, 1);

      await dev.clerk.users.banUser(NOAH);
      await dev.expireAccessTokens();
      await wantsSignIn(each, add(client));
      assert.deepEqual([wire.last('/token').status, wire.last('/token').answer.error], [400, 'invalid_grant']);
      await assert.rejects(app.answer(), /banned/);
    });

    test('takes a no, and no more than was ticked', async (t) => {
      const dev = await startDev(t);
      await assert.rejects(connect(t, each, dev.mcp, { user: NOAH, decision: 'deny' }), /access_denied|declined/);
      const { app, wire } = await connect(t, each, dev.mcp, { user: NOAH, scopes: ['tools:read'] }, { scope: WRITE });
      assert.equal(app.opened[0].searchParams.get('scope'), WRITE);
      assert.equal(app.tokens().scope, 'tools:read');
      assert.equal(wire.last('/token').status, 200);
    });

    test('asks the person before something is deleted', async (t) => {
      const questions = [];
      const answers = [{ action: 'decline' }, { action: 'accept', content: { confirm: true } }];
      const onQuestion = ({ message }) => {
        questions.push(message);
        return answers[questions.length - 1];
      };
      const dev = await startDev(t);
      const { client } = await connect(t, each, dev.mcp, { user: AVA }, { onQuestion, scope: WRITE });
      await client.listTools();
      assert.equal((await refusal(client, 'deleteOrganization', { organizationId: LUMEN })).code, 'declined');
      assert.equal((await call(client, 'deleteOrganization', { organizationId: LUMEN })).deleted, true);
      assert.equal(questions.length, 2);
      assert.ok(questions.every((question) => question.includes(LUMEN)));
    });

    test('hears of progress, and can stop', async (t) => {
      const seed = '[[users]]\nid = "user_admin"\nfirst_name = "Ada"\nemail_addresses = ["ada@example.com"]\npublic_metadata = { role = "admin" }\n[generate]\nusers = 2000\n';
      const { client } = await open(t, 'user_admin', { args: ['--seed', seedFile(t, seed)] });
      const steps = [];
      const search = { name: 'findUsers', arguments: { without: ['email'] } };
      const run = (options) => (each.name.includes('SDK 1') ? client.callTool(search, undefined, options) : client.callTool(search, options));
      const { structuredContent } = await run({ onprogress: (step) => steps.push(step) });
      assert.equal(structuredContent.scanned, 2001);
      assert.ok(steps.length >= 2, `${steps.length} notifications`);
      const progress = steps.map((step) => step.progress);
      assert.deepEqual(progress, [...new Set(progress)].sort((a, b) => a - b));
      const stop = new AbortController();
      await assert.rejects(run({ signal: stop.signal, onprogress: () => stop.abort('enough') }), /enough|abort/i);
      await add(client);
    });

    if (each.hasSessions) {
      test('goes on after the server was killed', async (t) => {
        const { dev, wire, client, transport } = await open(t, NOAH);
        const { sessionId } = transport;
        const before = await names(client);
        await dev.killAndStartAgain();
        await add(client);
        assert.deepEqual(await names(client), before);
        assert.equal((await call(client, 'userInfo')).user_id, NOAH);
        assert.equal(transport.sessionId, sessionId);
        // It listens again, at its place.
        await until('the stream is open again', () => wire.exchanges.filter(({ method, path, status }) => method === 'GET' && path === '/mcp' && status === 200).length > 1);
        assert.match(wire.last('/mcp', 'GET').sent.get('last-event-id'), /^c\.\d+$/);
        assert.deepEqual(wire.lines().filter((line) => line.endsWith('404')), []);
      });

      test('is told that the answer to a call went down with the server', async (t) => {
        const dev = await startDev(t);
        let asked;
        const isAsked = new Promise((done) => (asked = done));
        // Nobody ever answers.
        const onQuestion = () => new Promise(asked);
        const { wire, client } = await connect(t, each, dev.mcp, { user: AVA }, { onQuestion, scope: WRITE });
        const lost = client.callTool({ name: 'deleteOrganization', arguments: { organizationId: LUMEN } });
        const told = assert.rejects(lost, ({ code, message, data }) => {
          assert.equal(code, -32603);
          assert.match(message, /the server was restarted[^]*hint: /);
          assert.equal(data.code, 'server_restarted');
          assert.equal(data.may_have_taken_effect, true);
          return true;
        });
        await isAsked;
        await dev.killAndStartAgain();
        await told;
        // That was the stream's end: whoever comes back to it does so once.
        const resumed = () => wire.exchanges.filter(({ method, sent }) => method === 'GET' && !(sent.get('last-event-id') ?? 'c.').startsWith('c.'));
        await until('nobody comes back any more', () => !each.comesBack || resumed().at(-1).status === 204);
        const count = resumed().length;
        await sleep(2500);
        assert.equal(resumed().length, count, wire.lines().join(', '));
        await add(client);
      });

      test('ends its session, which is nobody else’s', async (t) => {
        const { dev, app, wire, client, transport } = await open(t, NOAH);
        const { sessionId } = transport;
        const other = await connect(t, each, dev.mcp, { user: LUCAS });
        const headers = (connection, session) => ({
          authorization: `Bearer ${connection.app.tokens().access_token}`,
          accept: 'application/json, text/event-stream',
          'content-type': 'application/json',
          'mcp-session-id': session,
          'mcp-protocol-version': each.version,
        });
        const ping = (connection, session) => fetch(dev.mcp, { method: 'POST', headers: headers(connection, session), body: '{"jsonrpc":"2.0","id":7,"method":"ping"}' });
        assert.equal((await ping(other, sessionId)).status, 404);
        assert.equal((await fetch(dev.mcp, { method: 'DELETE', headers: headers(other, sessionId) })).status, 404);
        await add(client);
        const stream = wire.last('/mcp', 'GET');
        await transport.terminateSession();
        assert.equal(transport.sessionId, undefined);
        assert.ok([200, 202, 204].includes(wire.last('/mcp', 'DELETE').status));
        await until('the stream has ended', () => stream.isOver);
        assert.equal((await ping({ app }, sessionId)).status, 404);
      });
    }
  });
}
