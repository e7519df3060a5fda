// Ids of the emulator's default seed, and a seed on which every tool succeeds.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const fixed = (prefix, name) => `${prefix}_${`2Emu${name}`.padEnd(27, '0')}`;

/** Admin of Northwind Metrics, plain member of Quarry & Sons; has private metadata. */
export const AVA = fixed('user', 'AvaMitchell');
/** Member of Northwind Metrics. */
export const NOAH = fixed('user', 'NoahTanaka');
/** Has the role org:billing in Northwind Metrics. */
export const PRIYA = fixed('user', 'PriyaRaman');
/** Admin of Lumen Studio, and no member of Northwind Metrics. */
export const LUCAS = fixed('user', 'LucasMoreau');
export const LIAM_BANNED = fixed('user', 'LiamByrne');
export const NORTHWIND = fixed('org', 'NorthwindMetrics');
export const LUMEN = fixed('org', 'LumenStudio');
export const QUARRY = fixed('org', 'QuarrySons');

/** One call of each tool, in an order that lets each succeed on the team. */
export const CALLS = [
  ['getUserId', {}],
  ['getUser', { userId: 'user_a' }],
  ['getUserCount', { createdAtBefore: '1d', banned: false }],
  ['getUserList', { limit: 2, orderBy: '-created_at', query: 'x.example' }],
  ['findUsers', { without: ['organization'], where: [{ pointer: '/username', exists: true }] }],
  ['updateUser', { userId: 'user_b', firstName: 'Bo', username: 'bobo' }],
  [
    'updateUserMetadata',
    { userId: 'user_b', publicMetadata: { plan: 'pro' }, privateMetadata: { n: 1 }, unsafeMetadata: { t: null } },
  ],
  ['updateUserPublicMetadata', { userId: 'user_b', metadata: { camelKey: { innerKey: 1 } } }],
  ['updateUserUnsafeMetadata', { userId: 'user_b', metadata: { camelKey: null } }],
  ['getUserOrganizationMembershipList', { userId: 'user_a' }],
  ['getOrganization', { slug: 'a', includeMembersCount: true }],
  ['getOrganizationList', { includeMembersCount: true, orderBy: '-members_count' }],
  [
    'createOrganization',
    { name: 'New', slug: 'new', createdBy: 'user_a', maxAllowedMemberships: 9, publicMetadata: { a: 1 } },
  ],
  ['updateOrganization', { organizationId: 'org_a', name: 'AA', publicMetadata: { plan: 'pro' } }],
  ['updateOrganizationMetadata', { organizationId: 'org_a', publicMetadata: { a: { b: 1 } } }],
  ['getOrganizationMembershipList', { organizationId: 'org_a', role: ['org:member'] }],
  ['createOrganizationMembership', { organizationId: 'org_a', userId: 'user_x', role: 'org:member' }],
  ['updateOrganizationMembership', { organizationId: 'org_a', userId: 'user_x', role: 'org:admin' }],
  [
    'updateOrganizationMembershipMetadata',
    { organizationId: 'org_a', userId: 'user_x', publicMetadata: { desk: 4 } },
  ],
  ['deleteOrganizationMembership', { organizationId: 'org_a', userId: 'user_x' }],
  ['getOrganizationInvitationList', { organizationId: 'org_a', status: 'pending' }],
  [
    'createOrganizationInvitation',
    { organizationId: 'org_a', emailAddress: 'n@y.example', role: 'org:member', inviterUserId: 'user_a' },
  ],
  [
    'revokeOrganizationInvitation',
    { organizationId: 'org_a', invitationId: 'orginv_a', requestingUserId: 'user_a' },
  ],
  ['getInvitationList', { status: 'pending' }],
  ['createInvitation', { emailAddress: 'n2@y.example', notify: false }],
  ['revokeInvitation', { invitationId: 'inv_a' }],
  ['deleteOrganization', { organizationId: 'org_b' }],
];

/** What the calls are made on. */
const TEAM = {
  users: [
    { id: 'user_a', username: 'anna', email_addresses: ['anna@x.example'], created_at: 1600000000000 },
    { id: 'user_b', username: 'benno', email_addresses: ['ben@x.example'], created_at: 1610000000000 },
    { id: 'user_x', username: 'xenia', email_addresses: ['xenia@x.example'], created_at: 1620000000000 },
  ],
  organizations: [
    {
      id: 'org_a',
      name: 'A',
      slug: 'a',
      created_by: 'user_a',
      members: [{ user: 'user_a', role: 'org:admin' }, { user: 'user_b', role: 'org:member' }],
      invitations: [{ id: 'orginv_a', email_address: 'p@y.example', status: 'pending' }],
    },
    { id: 'org_b', name: 'B', slug: 'b', created_by: 'user_b', members: [{ user: 'user_b', role: 'org:admin' }] },
  ],
  invitations: [{ id: 'inv_a', email_address: 'i@y.example', status: 'pending' }],
};

export const teamFile = (t) => seedFile(t, TEAM);

/** Writes a seed file that is gone after the test. */
export function seedFile(t, seed) {
  const folder = mkdtempSync(join(tmpdir(), 'clerk-mcp-seed-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'seed.json');
  writeFileSync(path, JSON.stringify(seed));
  return path;
}
