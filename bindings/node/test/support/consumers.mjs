// The framework versions under test; support/make-consumers.mjs makes their folders.

import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

export const FOLDER = resolve(import.meta.dirname, '../.consumers');

const ai = (major) => ({ ai: `ai-${major}`, zod: 'zod' });

/** What each folder has beside our package: its name there, and its name in test/node_modules. */
export const CONSUMERS = {
  plain: { '@clerk/backend': '@clerk/backend' },
  'ai-4': ai(4),
  'ai-5': ai(5),
  'ai-6': ai(6),
  'ai-7': ai(7),
  'langchain-0.3': { '@langchain/core': 'langchain-core-0.3' },
  'langchain-1': { '@langchain/core': 'langchain-core-1' },
  'mcp-1': { '@modelcontextprotocol/sdk': '@modelcontextprotocol/sdk' },
  'mcp-2': {
    '@modelcontextprotocol/client': '@modelcontextprotocol/client',
    '@modelcontextprotocol/server': '@modelcontextprotocol/server',
  },
};

/** The package that ours follows, to be measured beside it. */
export const PREDECESSOR = {
  ...ai(4),
  '@clerk/backend': '@clerk/backend',
  '@clerk/shared': '@clerk/shared',
  '@langchain/core': 'langchain-core-0.3',
  '@modelcontextprotocol/sdk': '@modelcontextprotocol/sdk',
};

/** Imports a package as a file in that folder would. */
export async function load(consumer, specifier) {
  const { load } = await import(pathToFileURL(join(FOLDER, consumer, 'load.js')).href);
  return load(specifier);
}

/** `require` as a file in that folder would have it. */
export const requireFrom = (consumer) => createRequire(join(FOLDER, consumer, 'load.js'));
