import type { ClerkToolkitOptions } from './types.js';

export * from './exported-errors.js';
export type * from './types.js';

export interface ClerkMcpServerOptions extends ClerkToolkitOptions {
  /**
   * Which MCP SDK to build on: `v2` is @modelcontextprotocol/server, `v1` is
   * @modelcontextprotocol/sdk. Default: whichever is installed, `v2` where both are.
   */
  sdk?: 'v1' | 'v2' | undefined;
}

/** The low-level `Server` of the MCP SDK in use. */
export interface ClerkMcpServer {
  /** Takes a transport of the same SDK. */
  connect(transport: any): Promise<void>;
  close(): Promise<void>;
}

/**
 * Makes an MCP server of Clerk tools, to connect to a transport, or to give to version 2's
 * `serveStdio` and `createMcpHandler`. `S` is the SDK's `Server`, where one has to say so.
 */
export declare function createClerkMcpServer<S = ClerkMcpServer>(options?: ClerkMcpServerOptions): Promise<S>;
