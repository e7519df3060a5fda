/** The tools of the category `users`. */
export type UserToolName =
  | 'getUserId'
  | 'getUser'
  | 'getUserCount'
  | 'getUserList'
  | 'findUsers'
  | 'updateUser'
  | 'updateUserMetadata'
  | 'updateUserPublicMetadata'
  | 'updateUserUnsafeMetadata'
  | 'getUserOrganizationMembershipList';

/** The tools of the category `organizations`. */
export type OrganizationToolName =
  | 'getOrganization'
  | 'getOrganizationList'
  | 'createOrganization'
  | 'updateOrganization'
  | 'updateOrganizationMetadata'
  | 'deleteOrganization'
  | 'getOrganizationMembershipList'
  | 'createOrganizationMembership'
  | 'updateOrganizationMembership'
  | 'updateOrganizationMembershipMetadata'
  | 'deleteOrganizationMembership'
  | 'getOrganizationInvitationList'
  | 'createOrganizationInvitation'
  | 'revokeOrganizationInvitation';

/** The tools of the category `invitations`. */
export type InvitationToolName =
  | 'getInvitationList'
  | 'createInvitation'
  | 'revokeInvitation';

/** Every tool. A toolkit for a signed-in person has fewer. */
export type ToolName = UserToolName | OrganizationToolName | InvitationToolName;

/** `*`, a category (`users`, `users.*`), or a tool (`users.getUser`, `getUser`). */
export type ToolPattern = string;

/** What Clerk's `auth()` gives for a signed-in person. More members than these are ignored. */
export interface SessionAuthContext {
  userId: string | null;
  sessionId?: string | null | undefined;
  sessionClaims?: object | null | undefined;
  orgId?: string | null | undefined;
  orgRole?: string | null | undefined;
  orgSlug?: string | null | undefined;
  orgPermissions?: readonly string[] | null | undefined;
  actor?: object | null | undefined;
}

/** A session token as it came with a request: it is verified, and its claims are the context. */
export interface TokenAuthContext {
  sessionToken: string;
  /** The origins whose tokens are accepted, such as https://app.example.com. Default: any. */
  authorizedParties?: readonly string[] | undefined;
}

export type AuthContext = SessionAuthContext | TokenAuthContext;

/** The options that one gives `createClerkClient`; an instance does not do. */
export interface ClerkClientOptions {
  secretKey?: string | undefined;
  apiUrl?: string | undefined;
  apiVersion?: string | undefined;
  jwtKey?: string | undefined;
  publishableKey?: string | undefined;
  /** An instance has `users`. Its key cannot be read. */
  users?: never;
}

export interface ClerkToolkitOptions {
  /**
   * The signed-in person to act for: the tools do what that person could do, and no more. Left out,
   * the tools have the power of the secret key. Given without a `userId`, it is an error.
   */
  authContext?: AuthContext;
  /** Default: `CLERK_SECRET_KEY`. */
  secretKey?: string | undefined;
  /** Default: `CLERK_API_URL`, or https://api.clerk.com. */
  apiUrl?: string | undefined;
  /**
   * The public key of the instance in PEM, to verify session tokens without network. Default:
   * `CLERK_JWT_KEY`, or fetched from Clerk once an hour.
   */
  jwtKey?: string | undefined;
  clerkClient?: ClerkClientOptions | undefined;
  /** Shows private metadata to the model. Default: false. */
  allowPrivateMetadata?: boolean | undefined;
  /** Offers only tools that change nothing. Default: false. */
  readOnly?: boolean | undefined;
  /** The tools to offer. Default: all. */
  tools?: ToolPattern | readonly (ToolPattern | { name: string })[] | undefined;
  /**
   * What becomes of a tool's error in an agent loop. `return`: the model reads it as the tool's
   * result and may go on. `throw`: the framework gets a `ClerkToolkitError`. Default: `return`.
   */
  toolErrors?: 'return' | 'throw' | undefined;
}

export interface ToolDefinition {
  name: ToolName;
  title: string;
  category: 'users' | 'organizations' | 'invitations';
  description: string;
  /** A JSON Schema. */
  inputSchema: Record<string, unknown>;
  /** A JSON Schema. */
  outputSchema: Record<string, unknown>;
  annotations: {
    readOnlyHint: boolean;
    destructiveHint: boolean;
    idempotentHint: boolean;
    openWorldHint: boolean;
  };
}

/** What every toolkit has. */
export interface ClerkToolkitBase {
  /** Puts who is signed in, if anybody, before a system prompt. */
  injectSessionClaims: (prompt: string) => string;
}
