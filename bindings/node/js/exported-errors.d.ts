// The error classes, which every entry point exports.

export {
  type ErrorDetails,
  ClerkApiError,
  ClerkArgumentsError,
  ClerkConnectionError,
  ClerkKeyError,
  ClerkPatternError,
  ClerkPermissionError,
  ClerkTokenError,
  ClerkToolkitError,
} from './errors.js';
