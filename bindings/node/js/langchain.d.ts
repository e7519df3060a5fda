import type { DynamicStructuredTool } from '@langchain/core/tools';
import type { ClerkToolkitBase, ClerkToolkitOptions, ToolName } from './types.js';

export * from './exported-errors.js';
export type * from './types.js';

/** Lists of tools, for `bindTools`, `createAgent` and `ToolNode`. */
export interface ClerkToolkit extends ClerkToolkitBase {
  users: () => DynamicStructuredTool[];
  organizations: () => DynamicStructuredTool[];
  invitations: () => DynamicStructuredTool[];
  allTools: () => DynamicStructuredTool[];
  /** The tools by name, to run a message's `tool_calls`. */
  toolMap: () => Record<ToolName, DynamicStructuredTool>;
}

/** Makes a toolkit for LangChain, @langchain/core 0.3 and 1. */
export declare function createClerkToolkit(options?: ClerkToolkitOptions): Promise<ClerkToolkit>;
