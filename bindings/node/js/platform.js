// Finds the package with this platform's binaries; npm installs the one that fits.

import { createRequire } from 'node:module';
import { dirname, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);

const CANDIDATES = {
  'darwin-arm64': ['darwin-arm64'],
  'darwin-x64': ['darwin-x64'],
  'linux-arm64': ['linux-arm64-gnu', 'linux-arm64-musl'],
  'linux-x64': ['linux-x64-gnu', 'linux-x64-musl'],
  'win32-x64': ['win32-x64-msvc'],
};

/** Loads the native module. */
export function loadNative() {
  return firstOf((name) => require(name));
}

/** The folder of the platform's package. */
export function platformFolder() {
  return firstOf((name) => dirname(require.resolve(`${name}/package.json`)));
}

/** Of glibc and musl only one is installed, and only one loads where both are. */
function firstOf(load) {
  const platform = `${process.platform}-${process.arch}`;
  const names = (CANDIDATES[platform] ?? []).map((name) => `clerk-agent-tools-${name}`);
  const failures = [];
  for (const name of names) {
    try {
      return load(name);
    } catch (error) {
      failures.push(error);
    }
  }
  throw unavailable(platform, names, failures);
}

/**
 * The package's folder, should it lie in no node_modules: then npm only linked it there, and Node looks for
 * what it needs around the folder that the link leads to.
 */
function linkedFolder() {
  const folder = dirname(dirname(fileURLToPath(import.meta.url)));
  return folder.split(sep).includes('node_modules') ? undefined : folder;
}

function missingHint() {
  const linked = linkedFolder();
  return linked
    ? `clerk-agent-tools is a link to ${linked}, and Node does not look in your node_modules from there: ` +
        'make packages of both with `npm pack`, and `npm install` the .tgz files (README)'
    : 'it is an optional dependency: install without --omit=optional, and on the platform ' +
        'that will run it (remove node_modules that were copied from another one)';
}

function unavailable(platform, names, failures) {
  const present = failures.find((failure) => failure.code !== 'MODULE_NOT_FOUND');
  const message =
    names.length === 0
      ? `clerk-agent-tools has no build for ${platform}\n` +
        `hint: it runs on ${Object.keys(CANDIDATES).join(', ')}`
      : present
        ? `clerk-agent-tools cannot load its build for ${platform}: ${present.message}`
        : `clerk-agent-tools: the package ${names.join(' or ')} is not ${linkedFolder() ? 'found' : 'installed'}\n` +
          `hint: ${missingHint()}`;
  const error = new Error(message, { cause: present ?? failures[0] });
  error.code = 'ERR_CLERK_NATIVE_MISSING';
  return error;
}
