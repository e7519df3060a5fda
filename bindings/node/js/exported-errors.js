// The error classes, which every entry point exports.

export {
  ClerkApiError,
  ClerkArgumentsError,
  ClerkConnectionError,
  ClerkKeyError,
  ClerkPatternError,
  ClerkPermissionError,
  ClerkTokenError,
  ClerkToolkitError,
} from './errors.js';
