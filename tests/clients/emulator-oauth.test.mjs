// The emulator as an OAuth and OpenID Connect provider: `openid-client`, which knows nothing of Clerk,
// signs people in, and Clerk's own SDK manages the applications and verifies the tokens.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createClerkClient, verifyToken } from '@clerk/backend';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import * as oidc from 'openid-client';
import { Browser } from './support/browser.mjs';
import { EMULATOR_KEY, startEmulator } from './support/emulator.mjs';
import { AVA, LUCAS, NOAH, NORTHWIND, QUARRY, user } from './support/seed.mjs';

const CLIENT = { id: 'clerk_mcp_emulated', secret: 'emulated-client-secret' };
const CALLBACK = 'http://127.0.0.1:8788/callback';
const ALL = 'openid profile email offline_access user:org:read public_metadata';
const INSECURE = { execute: [oidc.allowInsecureRequests] };

async function start(t) {
  const emulator = await startEmulator(t);
  const clerk = createClerkClient({ secretKey: EMULATOR_KEY, apiUrl: emulator.url });
  const discover = (id = CLIENT.id, secret = CLIENT.secret, authentication) =>
    oidc.discovery(new URL(emulator.url), id, secret, authentication, INSECURE);
  return { emulator, clerk, discover };
}

/** A whole sign-in with PKCE, state and nonce, all of which openid-client checks. */
async function signIn(config, { person = { user: AVA }, browser = new Browser(), scope = ALL, callback = CALLBACK, more = {} } = {}) {
  const verifier = oidc.randomPKCECodeVerifier();
  const [state, nonce] = [oidc.randomState(), oidc.randomNonce()];
  const url = oidc.buildAuthorizationUrl(config, {
    redirect_uri: callback,
    scope,
    state,
    ...(scope.includes('openid') && { nonce }),
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    ...more,
  });
  const answer = await browser.authorize(url, person);
  const tokens = await oidc.authorizationCodeGrant(config, answer, {
    pkceCodeVerifier: verifier,
    expectedState: state,
    ...(scope.includes('openid') && { expectedNonce: nonce, idTokenExpected: true }),
  });
  return { tokens, answer, browser };
}

/** Asserts that the provider refuses with an OAuth error. */
const refuses = (promise, error) => assert.rejects(promise, (thrown) => thrown.error === error || assert.fail(String(thrown.stack)));

describe('an independent OpenID Connect client', () => {
  test('signs a person in and learns who it is', async (t) => {
    const { discover, emulator } = await start(t);
    const config = await discover();
    assert.equal(config.serverMetadata().issuer, emulator.url);
    const { tokens } = await signIn(config, { person: { user: AVA, organization: QUARRY } });
    const claims = tokens.claims();
    assert.equal(claims.sub, AVA);
    assert.equal(claims.org_id, QUARRY);
    assert.equal(claims.email, 'ava.mitchell@northwind.example');
    assert.equal(tokens.expires_in, 86_400);
    const info = await oidc.fetchUserInfo(config, tokens.access_token, AVA);
    assert.equal(info.public_metadata.role, 'admin');
    assert.deepEqual([info.org_id, info.org_slug], [QUARRY, 'quarry-and-sons']);
  });

  test('authenticates with Basic, in the form, or not at all', async (t) => {
    const { discover, clerk } = await start(t);
    for (const way of [oidc.ClientSecretBasic, oidc.ClientSecretPost]) {
      await signIn(await discover(CLIENT.id, CLIENT.secret, way(CLIENT.secret)));
    }
    const wrong = await discover(CLIENT.id, 'wrong');
    await refuses(signIn(wrong), 'invalid_client');
    const made = await clerk.oauthApplications.create({ name: 'Public', redirectUris: [CALLBACK], scopes: ALL, public: true });
    assert.equal(made.clientSecret, '');
    const open = await discover(made.clientId, undefined, oidc.None());
    const { tokens } = await signIn(open);
    assert.ok((await oidc.refreshTokenGrant(open, tokens.refresh_token)).access_token);
  });

  test('refreshes, introspects and revokes', async (t) => {
    const { discover, emulator, clerk } = await start(t);
    const config = await discover();
    const { tokens } = await signIn(config);
    await emulator.control('POST', 'clock', { advance_ms: 400 * 24 * 3600 * 1000 });
    const fresh = await oidc.refreshTokenGrant(config, tokens.refresh_token);
    assert.notEqual(fresh.access_token, tokens.access_token);
    assert.equal(fresh.scope, ALL);
    const info = await oidc.tokenIntrospection(config, fresh.refresh_token);
    assert.deepEqual([info.active, info.sub, info.client_id], [true, AVA, CLIENT.id]);
    await oidc.tokenRevocation(config, fresh.refresh_token);
    assert.equal((await oidc.tokenIntrospection(config, fresh.refresh_token)).active, false);
    await refuses(oidc.refreshTokenGrant(config, fresh.refresh_token), 'invalid_grant');

    const other = await signIn(config, { person: { user: NOAH } });
    await clerk.users.banUser(NOAH);
    await refuses(oidc.refreshTokenGrant(config, other.tokens.refresh_token), 'invalid_grant');
  });

  test('is told when the person says no, or cannot sign in', async (t) => {
    const { discover, emulator } = await start(t);
    const config = await discover();
    await refuses(signIn(config, { person: { user: AVA, decision: 'deny' } }), 'access_denied');
    await refuses(signIn(config, { more: { prompt: 'none' } }), 'login_required');
    await refuses(signIn(config, { scope: 'openid private_metadata' }), 'invalid_scope');
    await assert.rejects(signIn(config, { person: { user: user('LiamByrne') } }), /You have been banned/);
    await emulator.control('POST', 'auto_sign_in', { user_id: LUCAS });
    assert.equal((await signIn(config, { person: {} })).tokens.claims().sub, LUCAS);
  });

  test('registers itself where the instance allows it', async (t) => {
    const { emulator } = await start(t);
    const metadata = { redirect_uris: [CALLBACK], client_name: 'Registered', scope: 'openid email' };
    const register = () => oidc.dynamicClientRegistration(new URL(emulator.url), metadata, undefined, { ...INSECURE, algorithm: 'oauth2' });
    await assert.rejects(register());
    const switched = await fetch(`${emulator.url}/v1/instance/oauth_application_settings`, {
      method: 'PATCH',
      headers: { authorization: `Bearer ${EMULATOR_KEY}`, 'content-type': 'application/json' },
      body: JSON.stringify({ dynamic_oauth_client_registration: true }),
    });
    assert.equal(switched.status, 200);
    const config = await register();
    const { tokens } = await signIn(config, { scope: 'openid email' });
    assert.equal(tokens.claims().aud, config.clientMetadata().client_id);
  });
});

describe("Clerk's SDK", () => {
  test('verifies access tokens of both forms', async (t) => {
    const { clerk, discover, emulator } = await start(t);
    const config = await discover();
    const { tokens } = await signIn(config);
    const keys = createRemoteJWKSet(new URL(`${emulator.url}/.well-known/jwks.json`));
    const verified = await jwtVerify(tokens.access_token, keys, { issuer: emulator.url, typ: 'at+jwt' });
    assert.deepEqual([verified.payload.sub, verified.payload.client_id, verified.payload.org_id], [AVA, CLIENT.id, NORTHWIND]);

    const check = async (accessToken) => {
      const token = await clerk.idPOAuthAccessToken.verify(accessToken);
      assert.match(token.id, /^oat_[0-9a-f]{32}$/);
      assert.deepEqual([token.clientId, token.subject, token.scopes, token.expired, token.revoked], [CLIENT.id, AVA, ALL.split(' '), false, false]);
      assert.ok(Math.abs(token.expiration - Date.now() - 86_400_000) < 60_000, 'milliseconds');
    };
    await check(tokens.access_token);
    const request = (accessToken) => new Request('http://127.0.0.1:3000/', { headers: { authorization: `Bearer ${accessToken}` } });
    const authenticate = async (accessToken) => {
      const publishableKey = `pk_test_${Buffer.from(`${new URL(emulator.url).host}$`).toString('base64')}`;
      const state = await clerk.authenticateRequest(request(accessToken), { acceptsToken: 'oauth_token', publishableKey });
      return state.isAuthenticated ? state.toAuth().userId : state.reason;
    };
    assert.equal(await authenticate(tokens.access_token), AVA);

    await fetch(`${emulator.url}/v1/instance/oauth_application_settings`, {
      method: 'PATCH',
      headers: { authorization: `Bearer ${EMULATOR_KEY}`, 'content-type': 'application/json' },
      body: JSON.stringify({ oauth_jwt_access_tokens: false }),
    });
    const opaque = (await signIn(config)).tokens.access_token;
    assert.match(opaque, /^oat_[0-9a-f]{64}$/);
    await check(opaque);
    assert.equal(await authenticate(opaque), AVA);
    await oidc.tokenRevocation(config, opaque);
    assert.equal((await clerk.idPOAuthAccessToken.verify(opaque)).revoked, true);
    await assert.rejects(clerk.idPOAuthAccessToken.verify('oat_nothing'), (error) => error.status === 404);
  });

  test('manages applications', async (t) => {
    const { clerk, discover } = await start(t);
    const made = await clerk.oauthApplications.create({ name: 'Reports', redirectUris: [CALLBACK], scopes: 'openid email' });
    assert.ok(made.clientSecret.length > 20);
    const read = await clerk.oauthApplications.get(made.id);
    assert.equal(read.clientSecret, undefined);
    const list = await clerk.oauthApplications.list();
    assert.equal(list.totalCount, 2);
    await clerk.oauthApplications.update({ oauthApplicationId: made.id, name: 'Reports 2', consentScreenEnabled: false });
    assert.equal((await clerk.oauthApplications.get(made.id)).name, 'Reports 2');
    const rotated = await clerk.oauthApplications.rotateSecret(made.id);
    await refuses(signIn(await discover(made.clientId, made.clientSecret), { scope: 'openid' }), 'invalid_client');
    const { tokens } = await signIn(await discover(made.clientId, rotated.clientSecret), { scope: 'openid' });
    assert.equal(tokens.claims().aud, made.clientId);
    await clerk.oauthApplications.delete(made.id);
    await assert.rejects(clerk.oauthApplications.get(made.id), (error) => error.status === 404);
  });
});

test('a session token of the sign-in page is Clerk’s', async (t) => {
  const { emulator, clerk } = await start(t);
  const browser = new Browser();
  const page = await browser.send(`${emulator.url}/sign-in`);
  await browser.submit(page, { user_id: AVA });
  const keys = createRemoteJWKSet(new URL(`${emulator.url}/.well-known/jwks.json`));
  const { payload } = await jwtVerify(browser.cookie('__session'), keys, { issuer: emulator.url });
  assert.equal(payload.sub, AVA);
  assert.equal((await clerk.sessions.getSession(payload.sid)).userId, AVA);
});

test('an actor token of Clerk’s SDK starts an impersonation', async (t) => {
  const { emulator, clerk } = await start(t);
  const made = await clerk.actorTokens.create({ userId: AVA, actor: { sub: NOAH, reason: 'ticket 7' } });
  const native = (path, form = {}, token = '') =>
    fetch(`${emulator.url}${path}?_is_native=1`, { method: 'POST', headers: { authorization: token }, body: new URLSearchParams(form) });
  const response = await native('/v1/client/sign_ins', { strategy: 'ticket', ticket: made.token });
  const { response: signIn } = await response.json();
  const client = response.headers.get('authorization');
  const { jwt } = await (await native(`/v1/client/sessions/${signIn.created_session_id}/tokens`, {}, client)).json();
  const claims = await verifyToken(jwt, { secretKey: EMULATOR_KEY, apiUrl: emulator.url });
  assert.deepEqual([claims.sub, claims.act], [AVA, { sub: NOAH, reason: 'ticket 7' }]);
  await assert.rejects(clerk.actorTokens.revoke(made.id), (error) => error.status === 400);
  await clerk.sessions.revokeSession(signIn.created_session_id);
  assert.equal((await native(`/v1/client/sessions/${signIn.created_session_id}/tokens`, {}, client)).status, 404);
});

test('a code arrives in the inbox', async (t) => {
  const { emulator } = await start(t);
  const browser = new Browser();
  const page = await browser.send(`${emulator.url}/sign-in`);
  const sent = await browser.submit(page, { email_address: 'ava.mitchell@northwind.example' });
  const { data } = await emulator.control('GET', 'inbox');
  const form = await browser.send(sent.location);
  const done = await browser.submit(form, { code: data[0].code });
  assert.equal(done.location, `${emulator.url}/`);
  assert.match((await browser.send(done.location)).text, /Ava Mitchell/);
});
