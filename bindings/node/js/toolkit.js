// What every adapter stands on: the native toolkit with JavaScript values.

import { ClerkArgumentsError, ClerkToolkitError, fromNative, optionError } from './errors.js';
import { turn } from './pace.js';
import { loadNative } from './platform.js';

const native = loadNative();

const SESSION = [
  'userId',
  'sessionId',
  'orgId',
  'orgRole',
  'orgSlug',
  'orgPermissions',
  'actor',
  'sessionClaims',
  'sessionToken',
  'authorizedParties',
];
const VARIABLES = ['CLERK_SECRET_KEY', 'CLERK_API_URL', 'CLERK_API_VERSION', 'CLERK_JWT_KEY'];

export class Toolkit {
  #native;
  #definitions;
  #throws;

  /** Rejects with what is wrong with an option or a session token. */
  static async open(options) {
    const { toolErrors = 'return', ...rest } = plainOptions(options);
    if (toolErrors !== 'return' && toolErrors !== 'throw') {
      throw optionError('`toolErrors` is neither "return" nor "throw"');
    }
    const toolkit = new Toolkit();
    toolkit.#throws = toolErrors === 'throw';
    try {
      toolkit.#native = await native.Toolkit.open(nativeOptions(rest));
    } catch (failure) {
      throw failure instanceof ClerkToolkitError ? failure : fromNative(failure);
    }
    return toolkit;
  }

  /** The tools: name, title, category, description, inputSchema, outputSchema, annotations. */
  get definitions() {
    this.#definitions ??= JSON.parse(crossing(() => this.#native.definitions()));
    return this.#definitions;
  }

  injectSessionClaims = (prompt) => {
    if (typeof prompt !== 'string') throw optionError('the prompt of injectSessionClaims is no text');
    return crossing(() => this.#native.injectSessionClaims(prompt));
  };

  /** Calls a tool and gives its result as JSON text; throws what went wrong. */
  async callText(name, args, signal) {
    signal?.throwIfAborted();
    const given = argumentsText(args);
    const wait = turn();
    if (wait) {
      await wait;
      signal?.throwIfAborted();
    }
    const cancel = signal && new native.Cancel();
    const abort = () => cancel.cancel();
    signal?.addEventListener('abort', abort, { once: true });
    try {
      return await this.#native.call(String(name), given, cancel);
    } catch (failure) {
      signal?.throwIfAborted();
      throw fromNative(failure);
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  /** Calls a tool and gives its result; throws what went wrong. */
  async call(name, args, { signal } = {}) {
    return JSON.parse(await this.callText(name, args, signal));
  }

  /**
   * Calls a tool for a model. What went wrong is a result as well, unless the toolkit was made with
   * `toolErrors: 'throw'`: the model reads it and the loop goes on.
   */
  async callForModel(name, args, signal) {
    try {
      return { text: await this.callText(name, args, signal), isError: false };
    } catch (error) {
      if (this.#throws || !(error instanceof ClerkToolkitError)) throw error;
      return { text: JSON.stringify(error), isError: true };
    }
  }

  /** `users()`, `organizations()` and `invitations()`, of the tools that `collect` makes. */
  categories(collect) {
    const of = (category) => () => collect(this.definitions.filter((tool) => tool.category === category));
    return { users: of('users'), organizations: of('organizations'), invitations: of('invitations') };
  }
}

/**
 * The options, or what is wrong with them. A promise, a Map or an instance of a class has its members
 * elsewhere: read as an empty object it would be a toolkit with the whole power of the key.
 */
export function plainOptions(options) {
  if (options === undefined || options === null) return {};
  if (!isPlainObject(options)) {
    throw optionError('the options are not a plain object', 'pass {…}; await a promise first');
  }
  return options;
}

/** `{…}`, of this realm or of another one (a vm context, a test runner), or one without a prototype. */
function isPlainObject(value) {
  if (typeof value !== 'object' || Array.isArray(value)) return false;
  const prototype = Object.getPrototypeOf(value);
  if (prototype === null) return true;
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, 'hasOwnProperty');
}

function nativeOptions({ authContext, clerkClient, tools, ...options }) {
  // An auth context that is there but empty is somebody who is not signed in, never nobody at all.
  if (arguments[0] && 'authContext' in arguments[0]) options.authContext = session(authContext);
  if (clerkClient !== undefined && clerkClient !== null) options.clerkClient = clientOptions(clerkClient);
  if (tools !== undefined && tools !== null) options.tools = patterns(tools);
  const environment = Object.fromEntries(VARIABLES.map((name) => [name, process.env[name]]));
  try {
    return JSON.stringify({ options, environment });
  } catch (error) {
    throw optionError(`the options cannot be written as JSON: ${error.message}`);
  }
}

/** Clerk's `auth()` gives functions and more beside what counts here. */
function session(authContext) {
  if (authContext === undefined || authContext === null) return null;
  if (typeof authContext !== 'object') throw optionError('`authContext` is no object');
  if (typeof authContext.then === 'function') {
    throw optionError('`authContext` is a promise', 'write authContext: await auth()');
  }
  return Object.fromEntries(SESSION.map((name) => [name, authContext[name]]));
}

function clientOptions(clerkClient) {
  if (typeof clerkClient === 'function' || typeof clerkClient.users === 'object') {
    throw optionError(
      '`clerkClient` is an instance, whose secret key cannot be read',
      'give the options that createClerkClient took: clerkClient: { secretKey }',
    );
  }
  if (typeof clerkClient !== 'object') throw optionError('`clerkClient` is no object');
  const { secretKey, apiUrl, apiVersion, jwtKey } = clerkClient;
  return { secretKey, apiUrl, apiVersion, jwtKey };
}

/** A tool of any adapter stands for its name. */
function patterns(tools) {
  return Array.isArray(tools) ? tools.map((tool) => (typeof tool?.name === 'string' ? tool.name : tool)) : tools;
}

function argumentsText(args) {
  try {
    return JSON.stringify(args) ?? '{}';
  } catch (error) {
    const message = `the arguments cannot be written as JSON: ${error.message}`;
    throw new ClerkArgumentsError({ code: 'invalid_arguments', message });
  }
}

function crossing(work) {
  try {
    return work();
  } catch (failure) {
    throw fromNative(failure);
  }
}
