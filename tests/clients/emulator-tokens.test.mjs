// JWT templates, machines and API keys of the emulator, by Clerk's own SDK.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createClerkClient } from '@clerk/backend';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { EMULATOR_KEY, startEmulator } from './support/emulator.mjs';
import { AVA, NORTHWIND, seedFile } from './support/seed.mjs';

async function start(t, args) {
  const emulator = await startEmulator(t, args);
  return { emulator, clerk: createClerkClient({ secretKey: EMULATOR_KEY, apiUrl: emulator.url }) };
}

const refuses = (promise, status) => assert.rejects(promise, (error) => error.status === status || assert.fail(String(error.stack)));

test('a JWT template is managed, and makes tokens of a session', async (t) => {
  const { emulator, clerk } = await start(t);
  const claims = { aud: 'reports', role: "{{user.public_metadata.role || 'none'}}", org: { role: '{{org.role}}' } };
  const made = await clerk.jwtTemplates.create({ name: 'reports', claims, lifetime: 300 });
  assert.deepEqual([made.name, made.claims, made.lifetime, made.allowedClockSkew], ['reports', claims, 300, 5]);
  assert.equal((await clerk.jwtTemplates.list()).data[0].id, made.id);
  const session = await clerk.sessions.createSession({ userId: AVA });
  const { jwt } = await clerk.sessions.getToken(session.id, 'reports');
  const keys = createRemoteJWKSet(new URL(`${emulator.url}/.well-known/jwks.json`));
  const { payload, protectedHeader } = await jwtVerify(jwt, keys, { issuer: emulator.url, audience: 'reports' });
  assert.deepEqual([payload.sub, payload.role, payload.org, payload.sid], [AVA, 'admin', { role: null }, undefined]);
  assert.equal(protectedHeader.cat, 'cl_B7d4PD222AAA');
  assert.equal(payload.exp - payload.iat, 300);

  await clerk.jwtTemplates.update({ templateId: made.id, name: 'renamed', claims: {} });
  assert.equal((await clerk.jwtTemplates.get(made.id)).name, 'renamed');
  await refuses(clerk.sessions.getToken(session.id, 'reports'), 404);
  await clerk.jwtTemplates.delete(made.id);
  await refuses(clerk.jwtTemplates.get(made.id), 404);
});

test('machines talk to each other with opaque tokens and with JWTs', async (t) => {
  const { emulator, clerk } = await start(t);
  const receiver = await clerk.machines.create({ name: 'billing' });
  const stranger = await clerk.machines.create({ name: 'stranger' });
  const sender = await clerk.machines.create({ name: 'orders', scopedMachines: [receiver.id] });
  const machineSecretKey = sender.secretKey;
  assert.equal((await clerk.machines.getSecretKey(sender.id)).secret, machineSecretKey);
  assert.equal((await clerk.machines.list()).totalCount, 3);

  const opaque = await clerk.m2m.createToken({ machineSecretKey, claims: { tier: 1 } });
  assert.deepEqual([opaque.subject, opaque.scopes, opaque.claims], [sender.id, [receiver.id], { tier: 1 }]);
  const verify = (token, key = receiver.secretKey) => clerk.m2m.verify({ token, machineSecretKey: key });
  assert.equal((await verify(opaque.token)).id, opaque.id);
  await refuses(verify(opaque.token, stranger.secretKey), 404);
  const authenticate = async (token) => {
    const request = new Request('http://127.0.0.1:3000/', { headers: { authorization: `Bearer ${token}` } });
    const options = { acceptsToken: 'm2m_token', machineSecretKey: receiver.secretKey };
    const state = await createClerkClient({ secretKey: EMULATOR_KEY, apiUrl: emulator.url }).authenticateRequest(request, options);
    return state.isAuthenticated ? state.toAuth().machineId : state.reason;
  };
  assert.equal(await authenticate(opaque.token), sender.id);
  await clerk.m2m.revokeToken({ m2mTokenId: opaque.id, machineSecretKey });
  await refuses(verify(opaque.token), 404);
  assert.notEqual(await authenticate(opaque.token), sender.id);
  assert.equal((await clerk.m2m.list({ subject: sender.id, revoked: true })).data[0].id, opaque.id);

  const jwt = await clerk.m2m.createToken({ machineSecretKey, tokenFormat: 'jwt', claims: { tier: 2 } });
  const verified = await verify(jwt.token);
  // The SDK counts `aud` and `scopes` among the claims of a JWT.
  assert.deepEqual([verified.subject, verified.scopes, verified.claims.tier, verified.id], [sender.id, [receiver.id], 2, jwt.id]);
  assert.equal(await authenticate(jwt.token), sender.id);

  await clerk.machines.createScope(sender.id, stranger.id);
  assert.equal((await clerk.machines.get(sender.id)).scopedMachines.length, 2);
  await clerk.machines.deleteScope(sender.id, stranger.id);
  const rotated = await clerk.machines.rotateSecretKey({ machineId: sender.id, previousTokenTtl: 0 });
  await refuses(clerk.m2m.createToken({ machineSecretKey }), 401);
  assert.ok((await clerk.m2m.createToken({ machineSecretKey: rotated.secret })).token);
  await clerk.machines.delete(sender.id);
  await refuses(clerk.machines.get(sender.id), 404);
});

test('API keys are verified until they are revoked', async (t) => {
  const { clerk, emulator } = await start(t);
  const key = await clerk.apiKeys.create({ name: 'CI key', subject: NORTHWIND, scopes: ['read'], createdBy: AVA });
  const verified = await clerk.apiKeys.verify(key.secret);
  assert.deepEqual([verified.id, verified.subject, verified.scopes], [key.id, NORTHWIND, ['read']]);
  assert.equal((await clerk.apiKeys.getSecret(key.id)).secret, key.secret);
  assert.equal((await clerk.apiKeys.list({ subject: NORTHWIND })).totalCount, 1);
  await clerk.apiKeys.update({ apiKeyId: key.id, scopes: ['read', 'write'], subject: NORTHWIND });
  const request = new Request('http://127.0.0.1:3000/', { headers: { authorization: `Bearer ${key.secret}` } });
  const authenticate = () =>
    createClerkClient({ secretKey: EMULATOR_KEY, apiUrl: emulator.url }).authenticateRequest(request, { acceptsToken: 'api_key' });
  const auth = (await authenticate()).toAuth();
  assert.deepEqual([auth.orgId, auth.scopes], [NORTHWIND, ['read', 'write']]);
  await clerk.apiKeys.revoke({ apiKeyId: key.id, revocationReason: 'leaked' });
  await refuses(clerk.apiKeys.verify(key.secret), 404);
  assert.equal((await authenticate()).isAuthenticated, false);
  assert.equal((await clerk.apiKeys.get(key.id)).revocationReason, 'leaked');
  await clerk.apiKeys.delete(key.id);
  await refuses(clerk.apiKeys.get(key.id), 404);
});

test('a seed has templates, machines and keys', async (t) => {
  const id = 'user_2xhFjEI5X2qWRvtV13BzSj8H6Dk';
  const seed = {
    users: [{ id, username: 'ada_l' }],
    jwt_templates: [{ name: 'site', claims: { who: '{{user.username}}' } }],
    machines: [{ name: 'orders', secret_key: 'ak_orders', scopes: ['billing'] }, { name: 'billing', secret_key: 'ak_billing' }],
    api_keys: [{ name: 'CI key', subject: 'ada_l', secret: 'ak_ci' }],
  };
  const { clerk } = await start(t, ['--seed', seedFile(t, seed, 'json')]);
  const session = await clerk.sessions.createSession({ userId: id });
  const { jwt } = await clerk.sessions.getToken(session.id, 'site');
  assert.equal(JSON.parse(Buffer.from(jwt.split('.')[1], 'base64url')).who, 'ada_l');
  const { token } = await clerk.m2m.createToken({ machineSecretKey: 'ak_orders' });
  assert.ok((await clerk.m2m.verify({ token, machineSecretKey: 'ak_billing' })).subject.startsWith('mch_'));
  assert.equal((await clerk.apiKeys.verify('ak_ci')).subject, id);
});
