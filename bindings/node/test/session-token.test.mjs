// A session token as the auth context: verified by the native module, with Clerk's keys or a given one.

import assert from 'node:assert/strict';
import { createPublicKey, createSign, generateKeyPairSync } from 'node:crypto';
import { describe, test } from 'node:test';
import { ADAPTERS } from './support/adapters.mjs';
import { load } from './support/consumers.mjs';
import { startEmulator } from './support/emulator.mjs';
import { AVA, NOAH, NORTHWIND } from './support/seed.mjs';

const { ClerkPermissionError, ClerkTokenError, createClerkToolkit } = await load('plain', 'clerk-agent-tools');

async function backend(emulator, method, path, body) {
  const response = await fetch(`${emulator.url}/v1${path}`, {
    method,
    headers: { authorization: 'Bearer sk_test_emulate', 'content-type': 'application/json' },
    body: body && JSON.stringify(body),
  });
  assert.ok(response.ok, `${method} ${path}: ${response.status}`);
  return response.json();
}

async function tokenOf(emulator, userId) {
  const { id } = await backend(emulator, 'POST', '/sessions', { user_id: userId });
  const { jwt } = await backend(emulator, 'POST', `/sessions/${id}/tokens`, {});
  return { jwt, id };
}

const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const decode = (part) => JSON.parse(Buffer.from(part, 'base64url').toString());

function signed(header, claims, key) {
  const text = `${encode(header)}.${encode(claims)}`;
  return `${text}.${createSign('RSA-SHA256').update(text).sign(key).toString('base64url')}`;
}

async function refused(emulator, sessionToken, code, more = {}, options = {}) {
  const authContext = { sessionToken, ...more };
  const error = await createClerkToolkit({ ...emulator.options, ...options, authContext }).then(
    () => assert.fail(`${code} should be refused`),
    (error) => error,
  );
  assert.equal(error.constructor, ClerkTokenError, error.stack);
  assert.equal(error.code, code, error.message);
  assert.ok(error.hint);
  assert.ok(!sessionToken || sessionToken.length < 20 || !error.message.includes(sessionToken));
  return error;
}

describe('a session token', () => {
  for (const [name, make] of Object.entries(ADAPTERS)) {
    test(`binds ${name}`, async (t) => {
      const emulator = await startEmulator(t);
      const { jwt } = await tokenOf(emulator, NOAH);
      const adapter = await make({ ...emulator.options, authContext: { sessionToken: jwt } });
      t.after(() => adapter.close());
      assert.equal((await adapter.ask('getUserId')).result.userId, NOAH);
      const { result } = await adapter.ask('updateOrganization', { organizationId: NORTHWIND, name: 'mine' });
      assert.equal(result.error.code, 'not_permitted');
    });
  }

  test('is told to the model', async (t) => {
    const emulator = await startEmulator(t);
    const { jwt, id } = await tokenOf(emulator, AVA);
    const toolkit = await createClerkToolkit({ ...emulator.options, authContext: { sessionToken: jwt } });
    const text = toolkit.injectSessionClaims('Be kind.');
    assert.ok(text.includes(AVA) && text.includes(id));
    assert.ok(!text.includes(jwt));
    await assert.rejects(toolkit.call('deleteOrganization', { organizationId: 'org_a' }), ClerkPermissionError);
  });

  test('asks for the keys once, or not at all with jwtKey', async (t) => {
    const emulator = await startEmulator(t);
    const { jwt } = await tokenOf(emulator, AVA);
    const authContext = { sessionToken: jwt };
    await emulator.control('DELETE', 'requests');
    const fetches = async () => {
      const { data } = await emulator.control('GET', 'requests');
      return data.filter((request) => request.url.endsWith('/jwks')).length;
    };
    const { keys } = await (await fetch(`${emulator.url}/.well-known/jwks.json`)).json();
    const before = await fetches();
    const jwtKey = createPublicKey({ key: keys[0], format: 'jwk' }).export({ type: 'spki', format: 'pem' });
    for (const place of [{ jwtKey }, { clerkClient: { jwtKey } }]) {
      assert.equal((await (await createClerkToolkit({ ...emulator.options, ...place, authContext })).call('getUserId')).userId, AVA);
    }
    assert.equal(await fetches(), before);
    for (let n = 0; n < 3; n += 1) await createClerkToolkit({ ...emulator.options, authContext });
    assert.equal(await fetches(), before + 1);
  });

  test('that is expired, foreign, changed or none is refused', async (t) => {
    const emulator = await startEmulator(t);
    const { jwt } = await tokenOf(emulator, AVA);
    const [header, claims, signature] = jwt.split('.');
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    await refused(emulator, signed({ ...decode(header), kid: 'ins_other' }, decode(claims), privateKey), 'token_unknown_key');
    await refused(emulator, signed(decode(header), decode(claims), privateKey), 'token_signature');
    const changed = encode({ ...decode(claims), sub: NOAH });
    await refused(emulator, `${header}.${changed}.${signature}`, 'token_signature');
    await refused(emulator, `${encode({ ...decode(header), alg: 'none' })}.${claims}.`, 'token_algorithm');
    for (const text of ['x', 'a.b.c', 'Bearer x', `${header}.${claims}`]) await refused(emulator, text, 'token_malformed');
    for (const text of ['', ' ', null, undefined]) await refused(emulator, text, 'signed_out');
    await refused(emulator, jwt, 'token_authorized_party', { authorizedParties: ['https://other.example'] }).catch((error) => {
      // Tokens of the Backend API name no site, and then pass.
      assert.equal('azp' in decode(claims), false, error);
    });
    await refused(emulator, jwt, 'invalid_auth_context', { userId: AVA });
    const jwtKey = publicKey.export({ type: 'spki', format: 'pem' });
    await refused(emulator, jwt, 'token_signature', {}, { jwtKey });
    await emulator.control('POST', 'clock', { set_ms: Date.now() - 3_600_000 });
    const { jwt: old } = await tokenOf(emulator, NOAH);
    const expired = await refused(emulator, old, 'token_expired');
    assert.equal(expired.status, 401);
  });

  test('cannot be verified when Clerk does not answer', async (t) => {
    const emulator = await startEmulator(t);
    const { jwt } = await tokenOf(emulator, AVA);
    await refused(emulator, jwt, 'session_keys_unavailable', {}, { apiUrl: 'http://127.0.0.1:1' });
  });
});
