/** An error as a tool's result shows it to a model. */
export interface ErrorDetails {
  code: string;
  message: string;
  hint?: string;
  status?: number;
  retry_after?: number;
  long_message?: string;
  clerk_trace_id?: string;
  arguments?: { argument: string; message: string }[];
}

/** Something that the toolkit was asked for went wrong. */
export declare class ClerkToolkitError extends Error {
  constructor(details: ErrorDetails);
  /** Clerk's code where Clerk refused, or one of ours, such as `invalid_arguments`. */
  readonly code: string;
  /** The HTTP status of Clerk's answer. */
  readonly status: number | undefined;
  /** What to do about it. */
  readonly hint: string | undefined;
  /** Clerk's name for the request. */
  readonly clerkTraceId: string | undefined;
  /** Seconds to wait before another try. */
  readonly retryAfter: number | undefined;
  readonly details: ErrorDetails;
  toJSON(): { error: ErrorDetails };
}

/** There is no secret key, or it is none. */
export declare class ClerkKeyError extends ClerkToolkitError {}
/** The auth context names nobody, or its token is not valid. */
export declare class ClerkTokenError extends ClerkToolkitError {}
/** A tool pattern names nothing. */
export declare class ClerkPatternError extends ClerkToolkitError {}
/** A tool was called with wrong arguments. Nothing was sent. */
export declare class ClerkArgumentsError extends ClerkToolkitError {}
/** The signed-in person may not do this. */
export declare class ClerkPermissionError extends ClerkToolkitError {}
/** Clerk refused. */
export declare class ClerkApiError extends ClerkToolkitError {}
/** Clerk could not be reached. */
export declare class ClerkConnectionError extends ClerkToolkitError {}
