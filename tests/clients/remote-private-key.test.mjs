// Clients that sign who they are (`private_key_jwt`) and publish a metadata document: the official TypeScript clients, and
// `openid-client`, which knows nothing of MCP. Against `clerk-mcp serve` as a separate process beside an emulator.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createPrivateKeyJwtAuth as signsV2 } from '@modelcontextprotocol/client';
import { createPrivateKeyJwtAuth as signsV1 } from '@modelcontextprotocol/sdk/client/auth-extensions.js';
import { exportJWK, exportPKCS8, generateKeyPair } from 'jose';
import * as oidc from 'openid-client';
import { startMetadataHost } from './support/metadata-host.mjs';
import { Application } from './support/oauth-provider.mjs';
import { signIn } from './support/person.mjs';
import { CLIENTS, wantsSignIn } from './support/remote-clients.mjs';
import { startServe } from './support/remote.mjs';
import { AVA } from './support/seed.mjs';
import { call } from './support/tool-calls.mjs';
import { Wire } from './support/wire.mjs';

const REDIRECT = new Application().redirectUrl;
const CONFIG = '[[access]]\neveryone = true\ntools = ["userInfo", "users"]\n\n';
const ALGORITHMS = ['RS256', 'ES256'];

/** A key pair, with its public part as it is published. */
async function keyPair(alg, kid) {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  return { alg, kid, privateKey, pem: await exportPKCS8(privateKey), jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
}

async function start(t, signing) {
  const host = await startMetadataHost(t, REDIRECT, signing);
  return { host, serve: await startServe(t, CONFIG + host.config) };
}

/** An application that signs, as the documentation of the TypeScript clients has it. */
function signer(each, host, key, options = {}) {
  const app = new Application({ user: AVA }, { metadataUrl: host.url });
  const signs = each.name.includes('SDK 1') ? signsV1 : signsV2;
  app.addClientAuthentication = signs({ issuer: host.url, subject: host.url, privateKey: key.pem, alg: key.alg, ...options });
  return app;
}

/** From nothing but the URL to a connected client. */
async function connect(t, each, url, app) {
  const wire = new Wire();
  const first = each.kind.transport(url, app, wire);
  await wantsSignIn(each, each.kind.client().connect(first));
  await each.kind.finish(first, await app.answer());
  const client = each.kind.client();
  await client.connect(each.kind.transport(url, app, wire));
  t.after(() => client.close());
  return { client, wire };
}

for (const each of CLIENTS) {
  for (const alg of ALGORITHMS) {
    test(`${each.name}: signs in and refreshes with ${alg}`, async (t) => {
      const key = await keyPair(alg, 'key');
      const { host, serve } = await start(t, { keys: [key.jwk], methods: ['private_key_jwt'] });
      const app = signer(each, host, key);
      const { client, wire } = await connect(t, each, serve.mcp, app);
      const info = await call(client, 'userInfo');
      assert.deepEqual([info.user_id, info.client_id], [AVA, host.url]);
      assert.equal(await each.kind.auth(app, { serverUrl: serve.mcp, fetchFn: wire.fetch }), 'AUTHORIZED');
      assert.equal(wire.refreshes().at(-1).status, 200);
      assert.equal((await call(client, 'userInfo')).user_id, AVA);
      assert.equal(wire.exchanges.some(({ path }) => path === '/register'), false);
      assert.deepEqual(host.fetched, ['client.example/mcp/client.json', 'client.example/mcp/jwks.json']);
    });
  }

  test(`${each.name}: with another's key, or none, it is not let in`, async (t) => {
    const [key, thief] = [await keyPair('ES256', 'key'), await keyPair('ES256', 'key')];
    const { host, serve } = await start(t, { keys: [key.jwk], methods: ['private_key_jwt'] });
    const bare = new Application({ user: AVA }, { metadataUrl: host.url });
    for (const app of [signer(each, host, thief), signer(each, host, key, { audience: 'https://evil.example' }), bare]) {
      await assert.rejects(connect(t, each, serve.mcp, app));
    }
    await connect(t, each, serve.mcp, signer(each, host, key));
  });
}

test('openid-client: keys in the document; it signs for the issuer or for the token endpoint, or not at all', async (t) => {
  const key = await keyPair('RS256', 'key');
  const { host, serve } = await start(t, { keys: [key.jwk], methods: ['none', 'private_key_jwt'], inline: true });
  const discover = (authentication) =>
    oidc.discovery(new URL(serve.url), host.url, {}, authentication, { algorithm: 'oauth2', execute: [oidc.allowInsecureRequests] });
  const signs = oidc.PrivateKeyJwt({ key: key.privateKey, kid: key.kid });
  const signsForTokenEndpoint = oidc.PrivateKeyJwt(
    { key: key.privateKey, kid: key.kid },
    { [oidc.modifyAssertion]: (_header, claims) => void (claims.aud = `${serve.url}/token`) },
  );
  let last;
  for (const authentication of [signs, signsForTokenEndpoint, oidc.None()]) {
    const config = await discover(authentication);
    assert.deepEqual(config.serverMetadata().token_endpoint_auth_signing_alg_values_supported, ALGORITHMS);
    const verifier = oidc.randomPKCECodeVerifier();
    const state = oidc.randomState();
    const url = oidc.buildAuthorizationUrl(config, {
      redirect_uri: REDIRECT,
      scope: 'tools:read',
      state,
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      resource: serve.mcp.href,
    });
    const answer = await signIn(url, { user: AVA });
    last = await oidc.authorizationCodeGrant(config, answer, { pkceCodeVerifier: verifier, expectedState: state });
    last = await oidc.refreshTokenGrant(config, last.refresh_token);
    assert.equal(last.scope, 'tools:read');
  }
  const config = await discover(signs);
  await oidc.tokenRevocation(config, last.refresh_token);
  await assert.rejects(oidc.refreshTokenGrant(config, last.refresh_token), (thrown) => thrown.error === 'invalid_grant');
  const thief = await keyPair('RS256', 'key');
  const pretends = await discover(oidc.PrivateKeyJwt({ key: thief.privateKey, kid: thief.kid }));
  await assert.rejects(oidc.refreshTokenGrant(pretends, 'x'), (thrown) => thrown.error === 'invalid_client');
});
