// The errors of this package. What they say comes from the native module.

/** Something that the toolkit was asked for went wrong. */
export class ClerkToolkitError extends Error {
  /** @param {object} details The error as a tool's result shows it to a model. */
  constructor(details) {
    super(details.hint ? `${details.message}\nhint: ${details.hint}` : details.message);
    this.name = new.target.name;
    this.code = details.code;
    this.status = details.status;
    this.hint = details.hint;
    this.clerkTraceId = details.clerk_trace_id;
    this.retryAfter = details.retry_after;
    Object.defineProperty(this, 'details', { value: details });
  }

  /** The error as a tool's result shows it to a model. */
  toJSON() {
    return { error: this.details };
  }
}

/** There is no secret key, or it is none. */
export class ClerkKeyError extends ClerkToolkitError {}
/** The auth context names nobody, or its token is not valid. */
export class ClerkTokenError extends ClerkToolkitError {}
/** A tool pattern names nothing. */
export class ClerkPatternError extends ClerkToolkitError {}
/** A tool was called with wrong arguments. Nothing was sent. */
export class ClerkArgumentsError extends ClerkToolkitError {}
/** The signed-in person may not do this. */
export class ClerkPermissionError extends ClerkToolkitError {}
/** Clerk refused. */
export class ClerkApiError extends ClerkToolkitError {}
/** Clerk could not be reached. */
export class ClerkConnectionError extends ClerkToolkitError {}

const CLASSES = {
  ClerkKeyError,
  ClerkTokenError,
  ClerkPatternError,
  ClerkArgumentsError,
  ClerkPermissionError,
  ClerkApiError,
  ClerkConnectionError,
};

/** The error that a failure of the native module stands for: its message is JSON. */
export function fromNative(failure) {
  let crossed;
  try {
    crossed = JSON.parse(failure.message);
  } catch {
    crossed = {
      error: { code: 'internal_error', message: `clerk-agent-tools failed: ${failure?.message ?? failure}` },
    };
  }
  const Class = CLASSES[crossed.class] ?? ClerkToolkitError;
  return new Class(crossed.error);
}

/** An option that never reaches the native module. */
export function optionError(message, hint) {
  return new ClerkToolkitError({ code: 'invalid_options', message, hint });
}
