import type { ClerkToolkitBase, ClerkToolkitOptions, ToolDefinition, ToolName } from './types.js';

export * from './exported-errors.js';
export type * from './types.js';

export interface ClerkToolkit extends ClerkToolkitBase {
  users: () => ToolDefinition[];
  organizations: () => ToolDefinition[];
  invitations: () => ToolDefinition[];
  allTools: () => ToolDefinition[];
  toolMap: () => Record<ToolName, ToolDefinition>;
  /** Calls a tool. Rejects with a `ClerkToolkitError`. */
  call: (name: string, args?: unknown, options?: { signal?: AbortSignal }) => Promise<Record<string, unknown>>;
}

/** Makes a toolkit for programs that bring their own agent loop. */
export declare function createClerkToolkit(
  options?: Omit<ClerkToolkitOptions, 'toolErrors'>,
): Promise<ClerkToolkit>;
