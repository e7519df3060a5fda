import type { Tool } from 'ai';
import type {
  ClerkToolkitBase,
  ClerkToolkitOptions,
  InvitationToolName,
  OrganizationToolName,
  ToolName,
  UserToolName,
} from './types.js';

export * from './exported-errors.js';
export type * from './types.js';

/** Tools by name, for `tools` of `generateText`, `streamText` and agents. */
export interface ClerkToolkit extends ClerkToolkitBase {
  users: () => Record<UserToolName, Tool>;
  organizations: () => Record<OrganizationToolName, Tool>;
  invitations: () => Record<InvitationToolName, Tool>;
  allTools: () => Record<ToolName, Tool>;
  /** The same as `allTools`. */
  toolMap: () => Record<ToolName, Tool>;
}

/** Makes a toolkit for the Vercel AI SDK, versions 4 to 7. */
export declare function createClerkToolkit(options?: ClerkToolkitOptions): Promise<ClerkToolkit>;
