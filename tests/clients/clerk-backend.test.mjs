// Clerk's own backend SDK against `clerk-mcp emulate`, through a proxy that checks every answer
// against Clerk's OpenAPI file.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createClerkClient, verifyToken } from '@clerk/backend';
import { EMULATOR_KEY, startEmulator } from './support/emulator.mjs';
import { connect } from './support/sdk-v1.mjs';
import { AVA, LUCAS, LUMEN, NOAH, NORTHWIND, PRIYA, invitation, organization, seedFile, user } from './support/seed.mjs';
import { call } from './support/tool-calls.mjs';
import { ANSWERED, FAULTS, UNCHECKED, startValidatingProxy } from './support/validating-proxy.mjs';

const DAY = 24 * 60 * 60 * 1000;

async function start(t, args) {
  const emulator = await startEmulator(t, args);
  const apiUrl = await startValidatingProxy(t, emulator.url);
  return { emulator, apiUrl, clerk: createClerkClient({ secretKey: EMULATOR_KEY, apiUrl }) };
}

/** Asserts that a call fails with a status and an error code. */
async function fails(promise, status, code) {
  const error = await promise.then(() => assert.fail(`should fail with ${code}`), (error) => error);
  assert.equal(error.name, 'ClerkAPIResponseError', String(error));
  assert.deepEqual([error.status, error.errors[0]?.code], [status, code], error.errors[0]?.longMessage);
  assert.ok(error.clerkTraceId);
  assert.ok(error.errors[0].message && error.errors[0].longMessage);
  return error;
}

const ids = ({ data }) => data.map((row) => row.id);

describe('users', () => {
  test('are created, read, changed and deleted', async (t) => {
    const { clerk } = await start(t);
    const created = await clerk.users.createUser({
      externalId: 'ext-1',
      emailAddress: ['new@example.com', 'second@example.com'],
      phoneNumber: ['+15555550100'],
      username: 'newcomer',
      password: 'a long enough passphrase 4711',
      firstName: 'New',
      lastName: 'Comer',
      publicMetadata: { a: { b: 1 } },
      privateMetadata: { p: 1 },
      unsafeMetadata: { u: 1 },
    });
    assert.match(created.id, /^user_[0-9A-Za-z]{27}$/);
    assert.equal(created.primaryEmailAddress.emailAddress, 'new@example.com');
    assert.equal(created.emailAddresses.length, 2);
    assert.equal(created.passwordEnabled, true);
    assert.ok(Math.abs(created.createdAt - Date.now()) < 60_000);
    assert.deepEqual((await clerk.users.getUser(created.id)).privateMetadata, { p: 1 });

    const updated = await clerk.users.updateUser(created.id, { firstName: 'Newer', username: 'newcomer2', externalId: 'ext-2' });
    assert.deepEqual([updated.firstName, updated.lastName, updated.username, updated.externalId], ['Newer', 'Comer', 'newcomer2', 'ext-2']);
    assert.deepEqual(await clerk.users.verifyPassword({ userId: created.id, password: 'a long enough passphrase 4711' }), { verified: true });
    await fails(clerk.users.verifyPassword({ userId: created.id, password: 'wrong passphrase' }), 422, 'incorrect_password');

    const deleted = await clerk.users.deleteUser(created.id);
    assert.equal(deleted.id, created.id);
    await fails(clerk.users.getUser(created.id), 404, 'resource_not_found');
    await fails(clerk.users.deleteUser(created.id), 404, 'resource_not_found');
  });

  test('are unique in every identifier', async (t) => {
    const { clerk } = await start(t);
    const base = { skipPasswordRequirement: true };
    for (const clash of [
      { emailAddress: ['AVA.MITCHELL@northwind.example'] },
      { username: 'ava_mitchell', emailAddress: ['z@z.example'] },
      { phoneNumber: ['+14155550101'], emailAddress: ['z@z.example'] },
    ]) {
      await fails(clerk.users.createUser({ ...base, ...clash }), 422, 'form_identifier_exists');
    }
    const external = clerk.users.createUser({ ...base, externalId: 'crm-1001', emailAddress: ['z@z.example'] });
    await assert.rejects(external, (error) => error.status === 422 && /exists|taken|unique/.test(error.errors[0].code));
    await fails(clerk.users.updateUser(NOAH, { username: 'ava_mitchell' }), 422, 'form_identifier_exists');
    await fails(clerk.emailAddresses.createEmailAddress({ userId: NOAH, emailAddress: 'ava.mitchell@northwind.example' }), 422, 'form_identifier_exists');
    assert.equal(await clerk.users.getCount(), 30, 'a refused creation leaves nothing behind');
  });

  test('are refused with what is wrong', async (t) => {
    const { clerk } = await start(t);
    const create = (params) => clerk.users.createUser({ emailAddress: ['q@q.example'], ...params });
    await assert.rejects(create({ emailAddress: ['not an address'], skipPasswordRequirement: true }), (e) => e.status === 422);
    await assert.rejects(create({ password: 'short' }), (e) => e.status === 422 && /password/.test(e.errors[0].code));
    await assert.rejects(create({ username: 'a b!', skipPasswordRequirement: true }), (e) => e.status === 422);
    await assert.rejects(clerk.users.updateUser(AVA, { primaryEmailAddressID: 'idn_nothing' }), (e) => e.status >= 400 && e.status < 500);
    await fails(clerk.users.updateUser('user_2EmuNobody0000000000000000', { firstName: 'x' }), 404, 'resource_not_found');
  });

  test('are banned, unbanned, locked and unlocked', async (t) => {
    const { clerk } = await start(t);
    const session = await clerk.sessions.createSession({ userId: NOAH });
    assert.equal((await clerk.users.banUser(NOAH)).banned, true);
    const ended = await clerk.sessions.getSession(session.id);
    assert.notEqual(ended.status, 'active', 'a ban ends sessions');
    await assert.rejects(clerk.sessions.createSession({ userId: NOAH }), (e) => e.status >= 400 && e.status < 500);
    assert.equal((await clerk.users.unbanUser(NOAH)).banned, false);
    assert.equal((await clerk.users.lockUser(NOAH)).locked, true);
    assert.equal((await clerk.users.unlockUser(NOAH)).locked, false);
    await fails(clerk.users.banUser('user_2EmuNobody0000000000000000'), 404, 'resource_not_found');
  });

  test('have metadata that merges at every depth, or is replaced', async (t) => {
    const { clerk } = await start(t);
    await clerk.users.replaceUserMetadata(NOAH, { publicMetadata: { a: { b: 1, c: { d: 2 } }, list: [1, 2] } });
    const merged = await clerk.users.updateUserMetadata(NOAH, {
      publicMetadata: { a: { c: { e: 3 } }, list: [9], gone: null },
      privateMetadata: { camelCase: { innerKey: 1 } },
    });
    assert.deepEqual(merged.publicMetadata, { a: { b: 1, c: { d: 2, e: 3 } }, list: [9] });
    assert.deepEqual(merged.privateMetadata, { camelCase: { innerKey: 1 } });
    const removed = await clerk.users.updateUserMetadata(NOAH, { publicMetadata: { a: { b: null, c: null } } });
    assert.deepEqual(removed.publicMetadata, { a: {}, list: [9] });
    const replaced = await clerk.users.replaceUserMetadata(NOAH, { publicMetadata: { only: true } });
    assert.deepEqual(replaced.publicMetadata, { only: true });
    assert.deepEqual(replaced.privateMetadata, { camelCase: { innerKey: 1 } }, 'what is not given stays');
    await assert.rejects(
      clerk.users.updateUserMetadata(NOAH, { publicMetadata: { big: 'x'.repeat(9000) } }),
      (error) => error.status === 422,
    );
  });

  test('are listed by filters, in order and by page', async (t) => {
    const { clerk } = await start(t);
    const all = await clerk.users.getUserList({ limit: 500 });
    assert.deepEqual([all.data.length, all.totalCount], [30, 30]);
    assert.equal((await clerk.users.getUserList()).data.length, 10, 'the default page');
    assert.equal(all.data[0].id, user('RubyNguyen'), 'newest first');
    const list = async (params) => ids(await clerk.users.getUserList(params));
    const pages = [];
    for (let offset = 0; offset < 30; offset += 7) pages.push(...(await list({ limit: 7, offset, orderBy: '+created_at' })));
    assert.deepEqual(pages, all.data.map((row) => row.id).reverse());
    assert.deepEqual(await list({ offset: 400 }), []);

    assert.deepEqual(await list({ emailAddress: ['ava.mitchell@northwind.example', 'nobody@x.example'] }), [AVA]);
    assert.deepEqual(await list({ userId: [AVA, NOAH], orderBy: 'first_name' }), [AVA, NOAH]);
    assert.deepEqual(await list({ userId: [AVA, NOAH], orderBy: '-first_name' }), [NOAH, AVA]);
    assert.deepEqual(await list({ username: ['noah_t'] }), [NOAH]);
    assert.deepEqual(await list({ externalId: ['crm-1001'] }), [AVA]);
    assert.deepEqual(await list({ phoneNumber: ['+14155550101'] }), [AVA]);
    assert.deepEqual(await list({ web3Wallet: ['0x52908400098527886E0F7030069857D2E4169EE7'] }), [user('GraceKim')]);
    assert.deepEqual(await list({ query: 'mitch' }), [AVA]);
    assert.deepEqual(await list({ query: AVA }), [AVA]);
    assert.deepEqual((await list({ organizationId: [NORTHWIND] })).toSorted(), [AVA, NOAH, PRIYA, user('GraceKim')].toSorted());
    assert.equal((await list({ createdAtAfter: Date.now() - 20 * DAY })).length, 3);
    assert.equal((await list({ createdAtBefore: Date.now() - 360 * DAY })).length, 1);
    assert.equal((await list({ lastActiveAtAfter: Date.now() - 4 * 3600_000, limit: 50 })).length, 3);
    assert.equal(await clerk.users.getCount({ query: 'northwind.example' }), 3);
    await assert.rejects(list({ limit: 501 }), (error) => error.status === 422);
    await assert.rejects(list({ limit: -1 }), (error) => error.status === 422);
    await assert.rejects(list({ orderBy: 'shoe_size' }), (error) => error.status === 422);
  });

  test('page by cursor, and the cursor is exact', async (t) => {
    const { apiUrl } = await start(t);
    const seen = [];
    for (let after = ''; ; ) {
      const page = await raw(apiUrl, `/v1/users?limit=7${after}`);
      assert.equal(page.status, 200);
      seen.push(...page.body.map((row) => row.id));
      if (page.body.length < 7) break;
      after = `&starting_after=${seen.at(-1)}`;
    }
    assert.equal(new Set(seen).size, 30);
    assert.equal(seen.length, 30);
  });
});

async function raw(apiUrl, path, { method = 'GET', body, headers = {}, key = EMULATOR_KEY } = {}) {
  const response = await fetch(apiUrl + path, {
    method,
    headers: { 'content-type': 'application/json', ...(key ? { authorization: `Bearer ${key}` } : {}), ...headers },
    body,
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}

describe('e-mail addresses', () => {
  test('are added, verified, made primary and deleted', async (t) => {
    const { clerk } = await start(t);
    const added = await clerk.emailAddresses.createEmailAddress({ userId: NOAH, emailAddress: 'noah@second.example' });
    assert.equal(added.verification?.status ?? 'unverified', 'unverified');
    assert.equal((await clerk.emailAddresses.getEmailAddress(added.id)).emailAddress, 'noah@second.example');
    const verified = await clerk.emailAddresses.updateEmailAddress(added.id, { verified: true, primary: true });
    assert.equal(verified.verification.status, 'verified');
    assert.equal((await clerk.users.getUser(NOAH)).primaryEmailAddressId, added.id);
    const deleted = await clerk.emailAddresses.deleteEmailAddress(added.id);
    assert.equal(deleted.deleted, true);
    const noah = await clerk.users.getUser(NOAH);
    assert.equal(noah.emailAddresses.length, 1);
    assert.notEqual(noah.primaryEmailAddressId, added.id);
    await fails(clerk.emailAddresses.getEmailAddress(added.id), 404, 'resource_not_found');
  });

  test('are refused when wrong', async (t) => {
    const { clerk } = await start(t);
    await assert.rejects(clerk.emailAddresses.createEmailAddress({ userId: NOAH, emailAddress: 'nope' }), (e) => e.status === 422);
    await assert.rejects(
      clerk.emailAddresses.createEmailAddress({ userId: 'user_2EmuNobody0000000000000000', emailAddress: 'a@b.example' }),
      (error) => error.status === 404 || error.status === 422,
    );
  });
});

describe('sessions and their tokens', () => {
  test('are created, listed and revoked', async (t) => {
    const { clerk } = await start(t);
    const session = await clerk.sessions.createSession({ userId: AVA });
    assert.match(session.id, /^sess_/);
    assert.deepEqual([session.status, session.userId], ['active', AVA]);
    assert.deepEqual(ids(await clerk.sessions.getSessionList({ userId: AVA })), [session.id]);
    assert.deepEqual(ids(await clerk.sessions.getSessionList({ userId: AVA, status: 'revoked' })), []);
    assert.equal((await clerk.sessions.revokeSession(session.id)).status, 'revoked');
    assert.deepEqual(ids(await clerk.sessions.getSessionList({ userId: AVA, status: 'revoked' })), [session.id]);
    await assert.rejects(clerk.sessions.getToken(session.id), (error) => error.status >= 400 && error.status < 500);
    await fails(clerk.sessions.getSession('sess_nothing'), 404, 'resource_not_found');
    await assert.rejects(clerk.sessions.createSession({ userId: 'user_2EmuNobody0000000000000000' }), (e) => e.status >= 400 && e.status < 500);
  });

  test('give tokens that verifyToken accepts by the JWKS of the Backend API', async (t) => {
    const { clerk, apiUrl, emulator } = await start(t);
    const { id } = await clerk.sessions.createSession({ userId: AVA });
    const { jwt } = await clerk.sessions.getToken(id);
    const claims = await verifyToken(jwt, { secretKey: EMULATOR_KEY, apiUrl, skipJwksCache: true });
    assert.deepEqual([claims.sub, claims.sid, claims.v, claims.sts], [AVA, id, 2, 'active']);
    assert.equal(claims.exp - claims.iat, 60);
    assert.match(claims.iss, /^http/);
    const longer = await clerk.sessions.getToken(id, '', 600);
    const later = await verifyToken(longer.jwt, { secretKey: EMULATOR_KEY, apiUrl });
    assert.equal(later.exp - later.iat, 600);
    await assert.rejects(clerk.sessions.getToken(id, '', 5), (error) => error.status === 422);

    const { keys } = await clerk.jwks.getJwks();
    assert.equal(keys.length, 1);
    assert.deepEqual([keys[0].kty, keys[0].alg, keys[0].use], ['RSA', 'RS256', 'sig']);
    const published = await (await fetch(`${emulator.url}/.well-known/jwks.json`)).json();
    assert.deepEqual(published.keys, keys);

    const [head, , signature] = jwt.split('.');
    const forged = Buffer.from(JSON.stringify({ ...claims, sub: NOAH })).toString('base64url');
    await assert.rejects(verifyToken(`${head}.${forged}.${signature}`, { secretKey: EMULATOR_KEY, apiUrl }), /signature/i);
  });

  test('expire with the clock of the emulator', async (t) => {
    const { clerk, apiUrl, emulator } = await start(t);
    const { id } = await clerk.sessions.createSession({ userId: AVA });
    await emulator.control('POST', 'clock', { advance_ms: -2 * 60 * 60 * 1000 });
    const { jwt } = await clerk.sessions.getToken(id);
    await assert.rejects(verifyToken(jwt, { secretKey: EMULATOR_KEY, apiUrl, skipJwksCache: true }), /expired/i);
    await emulator.control('POST', 'clock', { advance_ms: 400 * DAY });
    const expired = await clerk.sessions.getSession(id);
    assert.notEqual(expired.status, 'active');
  });

  test('carry the active organization', async (t) => {
    const { apiUrl } = await start(t);
    const body = JSON.stringify({ user_id: AVA, active_organization_id: NORTHWIND });
    const session = await raw(apiUrl, '/v1/sessions', { method: 'POST', body });
    assert.equal(session.status, 200);
    assert.equal(session.body.last_active_organization_id, NORTHWIND);
    const token = await raw(apiUrl, `/v1/sessions/${session.body.id}/tokens`, { method: 'POST' });
    const claims = await verifyToken(token.body.jwt, { secretKey: EMULATOR_KEY, apiUrl, skipJwksCache: true });
    assert.deepEqual(claims.o, { ...claims.o, id: NORTHWIND, slg: 'northwind-metrics', rol: 'admin' });
    const foreign = JSON.stringify({ user_id: AVA, active_organization_id: LUMEN });
    const refused = await raw(apiUrl, '/v1/sessions', { method: 'POST', body: foreign });
    assert.ok(refused.status >= 400 && refused.status < 500, `${refused.status}`);
  });
});

describe('organizations', () => {
  test('are created, found, changed and deleted', async (t) => {
    const { clerk } = await start(t);
    const created = await clerk.organizations.createOrganization({
      name: 'Acme & Co',
      slug: 'acme',
      createdBy: AVA,
      maxAllowedMemberships: 3,
      publicMetadata: { a: { b: 1 } },
      privateMetadata: { p: 1 },
    });
    const organizationId = created.id;
    assert.match(organizationId, /^org_[0-9A-Za-z]{27}$/);
    assert.equal((await clerk.organizations.getOrganization({ slug: 'acme' })).id, organizationId);
    const counted = await clerk.organizations.getOrganization({ organizationId, includeMembersCount: true });
    assert.equal(counted.membersCount, 1);
    const updated = await clerk.organizations.updateOrganization(organizationId, { name: 'Acme', slug: 'acme-2', maxAllowedMemberships: 9 });
    assert.deepEqual([updated.name, updated.slug, updated.maxAllowedMemberships], ['Acme', 'acme-2', 9]);
    const merged = await clerk.organizations.updateOrganizationMetadata(organizationId, { publicMetadata: { a: { c: 2 } } });
    assert.deepEqual(merged.publicMetadata, { a: { b: 1, c: 2 } });
    const replaced = await clerk.organizations.replaceOrganizationMetadata(organizationId, { publicMetadata: { x: 1 } });
    assert.deepEqual([replaced.publicMetadata, replaced.privateMetadata], [{ x: 1 }, { p: 1 }]);
    await clerk.organizations.deleteOrganization(organizationId);
    await fails(clerk.organizations.getOrganization({ organizationId }), 404, 'resource_not_found');
    const again = await clerk.organizations.createOrganization({ name: 'Acme', slug: 'acme-2', createdBy: AVA });
    assert.equal(again.slug, 'acme-2', 'a deleted slug is free again');
  });

  test('are refused when wrong', async (t) => {
    const { clerk } = await start(t);
    const create = (params) => clerk.organizations.createOrganization({ name: 'X', createdBy: AVA, ...params });
    await assert.rejects(create({ slug: 'northwind-metrics' }), (e) => e.status === 422 && /slug|taken|exists/.test(e.errors[0].code));
    await assert.rejects(create({ slug: 'Not A Slug!' }), (e) => e.status === 422);
    await assert.rejects(create({ name: '' }), (e) => e.status === 422);
    await assert.rejects(create({ createdBy: 'user_2EmuNobody0000000000000000' }), (e) => e.status >= 400 && e.status < 500);
    await assert.rejects(clerk.organizations.updateOrganization(NORTHWIND, { slug: 'lumen-studio' }), (e) => e.status === 422);
    await fails(clerk.organizations.deleteOrganization('org_nothing'), 404, 'resource_not_found');
  });

  test('are listed by filters, in order and by page', async (t) => {
    const { clerk } = await start(t);
    const list = async (params) => ids(await clerk.organizations.getOrganizationList(params));
    const all = await clerk.organizations.getOrganizationList({ includeMembersCount: true, orderBy: '-members_count' });
    assert.deepEqual([all.data.length, all.totalCount], [5, 5]);
    assert.ok(all.data.every((row, index) => index === 0 || row.membersCount <= all.data[index - 1].membersCount));
    assert.deepEqual(await list({ query: 'LUMEN' }), [LUMEN]);
    assert.deepEqual(await list({ organizationId: [NORTHWIND] }), [NORTHWIND]);
    const names = (await clerk.organizations.getOrganizationList({ orderBy: '+name', limit: 2, offset: 1 })).data.map((row) => row.name);
    assert.deepEqual(names, ['Lumen Studio', 'Northwind Metrics']);
    assert.equal((await clerk.organizations.getOrganizationList({ limit: 2 })).totalCount, 5);
  });
});

describe('memberships', () => {
  test('are created, changed, described and deleted', async (t) => {
    const { clerk } = await start(t);
    const pair = { organizationId: LUMEN, userId: NOAH };
    const created = await clerk.organizations.createOrganizationMembership({ ...pair, role: 'org:member' });
    assert.match(created.id, /^orgmem_/);
    assert.deepEqual([created.role, created.publicUserData.userId], ['org:member', NOAH]);
    const changed = await clerk.organizations.updateOrganizationMembership({ ...pair, role: 'org:billing' });
    assert.equal(changed.role, 'org:billing');
    assert.ok(changed.permissions.includes('org:invoices:manage'));
    const described = await clerk.organizations.updateOrganizationMembershipMetadata({ ...pair, publicMetadata: { a: { b: 1 } } });
    assert.deepEqual(described.publicMetadata, { a: { b: 1 } });
    await clerk.organizations.deleteOrganizationMembership(pair);
    await fails(clerk.organizations.deleteOrganizationMembership(pair), 404, 'resource_not_found');
  });

  test('are listed for an organization, a user and the instance', async (t) => {
    const { clerk } = await start(t);
    const members = async (params) =>
      (await clerk.organizations.getOrganizationMembershipList({ organizationId: NORTHWIND, ...params })).data.map((row) => row.publicUserData.userId);
    assert.equal((await members()).length, 4);
    assert.deepEqual(await members({ role: ['org:admin'] }), [AVA]);
    assert.deepEqual((await members({ role: ['org:admin', 'org:billing'] })).toSorted(), [AVA, PRIYA].toSorted());
    assert.deepEqual(await members({ userId: [NOAH, LUCAS] }), [NOAH]);
    assert.deepEqual(await members({ emailAddress: ['priya.raman@northwind.example'] }), [PRIYA]);
    assert.deepEqual(await members({ query: 'tanaka' }), [NOAH]);
    assert.deepEqual(await members({ orderBy: '+first_name', limit: 2 }), [AVA, user('GraceKim')]);
    const ofAva = await clerk.users.getOrganizationMembershipList({ userId: AVA });
    assert.deepEqual([ofAva.totalCount, ofAva.data.length], [2, 2]);
    const everywhere = await clerk.organizations.getInstanceOrganizationMembershipList({ limit: 100 });
    assert.equal(everywhere.totalCount, 17);
    await fails(clerk.organizations.getOrganizationMembershipList({ organizationId: 'org_nothing' }), 404, 'resource_not_found');
  });

  test('keep the rules of the organization', async (t) => {
    const { clerk } = await start(t);
    const add = (organizationId, userId, role = 'org:member') =>
      clerk.organizations.createOrganizationMembership({ organizationId, userId, role });
    await fails(add(NORTHWIND, NOAH), 400, 'already_a_member_in_organization');
    const fjord = organization('FjordLogistics');
    const full = await add(fjord, NOAH).catch((error) => error);
    assert.match(full.errors[0].code, /quota|limit/, 'three of three members');
    await assert.rejects(add(LUMEN, NOAH, 'org:emperor'), (e) => e.status >= 400 && e.status < 500);
    await assert.rejects(add(LUMEN, 'user_2EmuNobody0000000000000000'), (e) => e.status >= 400 && e.status < 500);
    const last = { organizationId: NORTHWIND, userId: AVA };
    await assert.rejects(clerk.organizations.updateOrganizationMembership({ ...last, role: 'org:member' }), (e) => e.status >= 400 && e.status < 500);
    await assert.rejects(clerk.organizations.deleteOrganizationMembership(last), (e) => e.status >= 400 && e.status < 500);
    assert.equal((await clerk.organizations.getOrganizationMembershipList({ organizationId: NORTHWIND, role: ['org:admin'] })).totalCount, 1);
  });

  test('end with their user and their organization', async (t) => {
    const { clerk } = await start(t);
    await clerk.users.deleteUser(NOAH);
    assert.equal((await clerk.organizations.getOrganizationMembershipList({ organizationId: NORTHWIND })).totalCount, 3);
    await clerk.organizations.deleteOrganization(NORTHWIND);
    assert.equal((await clerk.users.getOrganizationMembershipList({ userId: AVA })).totalCount, 1);
  });
});

describe('invitations to organizations', () => {
  test('are created, read, listed and revoked', async (t) => {
    const { clerk } = await start(t);
    const created = await clerk.organizations.createOrganizationInvitation({
      organizationId: LUMEN,
      emailAddress: 'guest@x.example',
      role: 'org:member',
      inviterUserId: LUCAS,
      publicMetadata: { via: 'test' },
      redirectUrl: 'https://x.example/welcome',
      expiresInDays: 3,
    });
    assert.match(created.id, /^orginv_/);
    assert.equal(created.status, 'pending');
    const invitationId = created.id;
    assert.equal((await clerk.organizations.getOrganizationInvitation({ organizationId: LUMEN, invitationId })).id, invitationId);
    const list = (status) => clerk.organizations.getOrganizationInvitationList({ organizationId: LUMEN, ...(status ? { status } : {}) });
    assert.equal((await list(['pending'])).totalCount, 2);
    const revoked = await clerk.organizations.revokeOrganizationInvitation({ organizationId: LUMEN, invitationId, requestingUserId: LUCAS });
    assert.equal(revoked.status, 'revoked');
    assert.deepEqual(ids(await list(['revoked'])), [invitationId]);
    await assert.rejects(clerk.organizations.revokeOrganizationInvitation({ organizationId: LUMEN, invitationId }), (e) => e.status >= 400 && e.status < 500);
    await fails(clerk.organizations.getOrganizationInvitation({ organizationId: LUMEN, invitationId: 'orginv_nothing' }), 404, 'resource_not_found');
    await fails(clerk.organizations.getOrganizationInvitation({ organizationId: NORTHWIND, invitationId }), 404, 'resource_not_found');
  });

  test('are refused when wrong, and expire', async (t) => {
    const { clerk, emulator } = await start(t);
    const invite = (params) =>
      clerk.organizations.createOrganizationInvitation({
        organizationId: LUMEN, emailAddress: 'g@x.example', role: 'org:member', inviterUserId: LUCAS, ...params,
      });
    await assert.rejects(invite({ emailAddress: 'nope' }), (e) => e.status === 422);
    await assert.rejects(invite({ role: 'org:emperor' }), (e) => e.status >= 400 && e.status < 500);
    await assert.rejects(invite({ emailAddress: 'sofia.rossi@lumen.example' }), (e) => e.status >= 400 && e.status < 500);
    await assert.rejects(invite({ inviterUserId: NOAH }), (e) => e.status >= 400 && e.status < 500);
    await invite();
    await assert.rejects(invite(), (e) => e.errors[0].code === 'organization_invitation_not_unique');
    await emulator.control('POST', 'clock', { advance_ms: 40 * DAY });
    const { data } = await clerk.organizations.getOrganizationInvitationList({ organizationId: LUMEN, status: ['expired'] });
    assert.ok(data.some((row) => row.emailAddress === 'g@x.example'));
  });

  test('are created in bulk, all or none', async (t) => {
    const { clerk } = await start(t);
    const row = (emailAddress) => ({ emailAddress, role: 'org:member', inviterUserId: AVA });
    const created = await clerk.organizations.createOrganizationInvitationBulk(NORTHWIND, [row('b1@x.example'), row('b2@x.example')]);
    assert.equal(created.data.length, 2);
    await assert.rejects(clerk.organizations.createOrganizationInvitationBulk(NORTHWIND, [row('b3@x.example'), row('nope')]));
    const { data } = await clerk.organizations.getOrganizationInvitationList({ organizationId: NORTHWIND, status: ['pending'], limit: 100 });
    assert.equal(data.some((one) => one.emailAddress === 'b3@x.example'), false);
  });
});

describe('invitations to the application', () => {
  test('are created, listed and revoked', async (t) => {
    const { clerk } = await start(t);
    const created = await clerk.invitations.createInvitation({
      emailAddress: 'friend@x.example',
      redirectUrl: 'https://x.example/hello',
      publicMetadata: { via: 'test' },
      notify: true,
      expiresInDays: 5,
    });
    assert.match(created.id, /^inv_/);
    assert.match(created.url, /ticket=/);
    const list = async (params) => ids(await clerk.invitations.getInvitationList(params));
    assert.ok((await list({ status: 'pending' })).includes(created.id));
    assert.deepEqual(await list({ query: 'friend@' }), [created.id]);
    assert.equal((await list({ limit: 2, offset: 1 })).length, 2);
    assert.equal((await clerk.invitations.revokeInvitation(created.id)).revoked, true);
    await assert.rejects(clerk.invitations.revokeInvitation(created.id), (e) => e.status >= 400 && e.status < 500);
    await fails(clerk.invitations.revokeInvitation('inv_nothing'), 404, 'resource_not_found');
    await assert.rejects(clerk.invitations.revokeInvitation(invitation('Invited2')), (e) => e.status >= 400 && e.status < 500);
    const bulk = await clerk.invitations.createInvitationBulk([{ emailAddress: 'c1@x.example' }, { emailAddress: 'c2@x.example' }]);
    assert.equal(bulk.length, 2);
  });

  test('are refused for known addresses, unless told otherwise', async (t) => {
    const { clerk } = await start(t);
    const invite = (emailAddress, more = {}) => clerk.invitations.createInvitation({ emailAddress, ...more });
    await assert.rejects(invite('nope'), (e) => e.status === 422);
    await fails(invite('beta.tester@example.com'), 400, 'duplicate_record');
    await assert.rejects(invite('ava.mitchell@northwind.example'), (e) => e.status >= 400 && e.status < 500);
    assert.equal((await invite('beta.tester@example.com', { ignoreExisting: true })).status, 'pending');
  });
});

describe('the instance, its roles and its door', () => {
  test('roles and settings are read', async (t) => {
    const { clerk } = await start(t);
    const roles = await clerk.organizationRoles.getOrganizationRoleList({ limit: 100 });
    assert.ok(roles.data.some((role) => role.key === 'org:billing'));
    const instance = await clerk.instance.get();
    assert.equal(instance.environmentType, 'development');
    assert.equal((await clerk.instance.getOrganizationSettings()).enabled, true);
  });

  test('keys are checked', async (t) => {
    const { apiUrl } = await start(t);
    for (const [key, code] of [
      ['sk_test_wrong', 'clerk_key_invalid'],
      ['pk_test_ZXhhbXBsZS5jb20k', 'clerk_key_invalid'],
      ['sk_live_emulate', 'clerk_key_invalid'],
    ]) {
      const clerk = createClerkClient({ secretKey: key, apiUrl });
      await fails(clerk.users.getUser(AVA), 401, code);
    }
    const none = await raw(apiUrl, '/v1/users', { key: null });
    assert.equal(none.status, 401);
    const basic = await raw(apiUrl, '/v1/users', { key: null, headers: { authorization: 'Basic c2s6' } });
    assert.equal(basic.status, 401);
  });

  test('bad bodies are refused in Clerk’s form', async (t) => {
    const { emulator } = await start(t);
    for (const [path, body, headers] of [
      ['/v1/users', '{', {}],
      ['/v1/users', '[]', {}],
      ['/v1/users', '"x"', {}],
      ['/v1/organizations', '{"name": 7}', {}],
      ['/v1/organizations', 'name=x', { 'content-type': 'text/plain' }],
    ]) {
      const refused = await raw(emulator.url, path, { method: 'POST', body, headers });
      assert.ok(refused.status >= 400 && refused.status < 500, `${path} ${body}: ${refused.status}`);
      assert.ok(refused.body.errors[0].code, JSON.stringify(refused.body));
      assert.equal(refused.headers.get('content-type'), 'application/json');
    }
  });

  test('faults are injected: 429 with Retry-After, 5xx, dropped connections', async (t) => {
    const { emulator } = await start(t);
    const clerk = createClerkClient({ secretKey: EMULATOR_KEY, apiUrl: emulator.url });
    await emulator.control('POST', 'faults', { operation: 'GetUser', status: 429, retry_after: 7, times: 1 });
    const limited = await fails(clerk.users.getUser(AVA), 429, 'too_many_requests');
    assert.equal(limited.retryAfter, 7);
    await emulator.control('POST', 'faults', { operation: 'GetUser', status: 503, times: 1 });
    await assert.rejects(clerk.users.getUser(AVA), (error) => error.status === 503);
    await emulator.control('POST', 'faults', { operation: 'GetUser', drop_connection: true, times: 1 });
    await assert.rejects(clerk.users.getUser(AVA));
    assert.equal((await clerk.users.getUser(AVA)).id, AVA);
  });

  test('reset goes back to the seed', async (t) => {
    const { clerk, emulator } = await start(t);
    await clerk.users.deleteUser(AVA);
    await emulator.control('POST', 'reset');
    assert.equal((await clerk.users.getUser(AVA)).id, AVA);
  });

  test('a seed file and a state file', async (t) => {
    const seed = seedFile(t, 'users:\n  - first_name: Only\n    email_addresses: [only@x.example]\n', 'yaml');
    const state = seed.replace('seed.yaml', 'state.json');
    const first = await startEmulator(t, ['--seed', seed, '--state', state]);
    const clerkOf = (apiUrl) => createClerkClient({ secretKey: EMULATOR_KEY, apiUrl });
    assert.equal(await clerkOf(first.url).users.getCount(), 1);
    const { id } = await clerkOf(first.url).users.createUser({ emailAddress: ['two@x.example'], skipPasswordRequirement: true });
    const session = await clerkOf(first.url).sessions.createSession({ userId: id });
    const { jwt } = await clerkOf(first.url).sessions.getToken(session.id, '', 600);
    first.kill('SIGTERM');
    assert.deepEqual(await first.ended, { code: 0, signal: null });
    const second = await startEmulator(t, ['--seed', seed, '--state', state]);
    assert.equal((await clerkOf(second.url).users.getUser(id)).emailAddresses[0].emailAddress, 'two@x.example');
    const claims = await verifyToken(jwt, { secretKey: EMULATOR_KEY, apiUrl: second.url, skipJwksCache: true });
    assert.equal(claims.sub, id, 'tokens outlive a restart');
  });
});

test('every tool of the MCP server, through the same checks', async (t) => {
  const { apiUrl } = await start(t);
  const { client } = await connect(t, ['--api-url', apiUrl], { env: { CLERK_SECRET_KEY: EMULATOR_KEY } });
  const { tools } = await client.listTools();
  const left = new Set(tools.map((tool) => tool.name));
  const use = (name, args) => {
    left.delete(name);
    return call(client, name, args);
  };
  await use('getUserId');
  await use('getUser', { userId: AVA });
  await use('getUserCount', { query: 'a', banned: false });
  await use('getUserList', { createdAtAfter: '30d', lastActiveAtAfter: '2020-01-01' });
  await use('findUsers', { without: ['organization'] });
  await use('updateUser', { userId: NOAH, firstName: 'N' });
  await use('updateUserMetadata', { userId: NOAH, publicMetadata: { a: 1 }, unsafeMetadata: { b: 1 }, privateMetadata: { c: 1 } });
  await use('updateUserPublicMetadata', { userId: NOAH, metadata: { a: null } });
  await use('updateUserUnsafeMetadata', { userId: NOAH, metadata: { b: null } });
  await use('getUserOrganizationMembershipList', { userId: AVA });
  const { id: organizationId } = await use('createOrganization', { name: 'Tools', createdBy: AVA, maxAllowedMemberships: 0 });
  await use('getOrganization', { organizationId, includeMembersCount: true });
  await use('getOrganizationList', { userId: [AVA], includeMembersCount: true });
  await use('updateOrganization', { organizationId, name: 'Tools 2', publicMetadata: { a: 1 } });
  await use('updateOrganizationMetadata', { organizationId, publicMetadata: { a: null } });
  await use('createOrganizationMembership', { organizationId, userId: NOAH, role: 'org:member' });
  await use('getOrganizationMembershipList', { organizationId });
  await use('updateOrganizationMembership', { organizationId, userId: NOAH, role: 'org:admin' });
  await use('updateOrganizationMembershipMetadata', { organizationId, userId: NOAH, publicMetadata: { a: 1 } });
  await use('deleteOrganizationMembership', { organizationId, userId: NOAH });
  const { id } = await use('createOrganizationInvitation', { organizationId, emailAddress: 't@x.example', role: 'org:member', inviterUserId: AVA });
  await use('getOrganizationInvitationList', { organizationId, status: 'pending' });
  await use('revokeOrganizationInvitation', { organizationId, invitationId: id });
  await use('deleteOrganization', { organizationId });
  const { id: invitationId } = await use('createInvitation', { emailAddress: 'u@x.example', notify: false });
  await use('getInvitationList', { status: 'pending' });
  await use('revokeInvitation', { invitationId });
  assert.deepEqual([...left], []);
  await client.readResource({ uri: 'clerk://instance' });
});

test('every answer of this run was as the OpenAPI file says', { skip: UNCHECKED ?? false }, (t) => {
  const rows = [...ANSWERED].map(([operation, statuses]) => `${operation} ${[...statuses].sort().join(' ')}`);
  t.diagnostic(`${rows.length} operations were checked: ${rows.sort().join(', ')}`);
  assert.ok(rows.length >= 40, `${rows.length} operations`);
  assert.deepEqual([...new Set(FAULTS)], []);
});
