// Writes npm/<platform>/package.json, beside which the build puts the platform's binaries:
//   node bindings/node/platform-package.mjs darwin-arm64

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const read = (...path) => JSON.parse(readFileSync(join(here, ...path), 'utf8'));

const { optionalDependencies, version } = read('package.json');
const platform = process.argv[2];
const name = `clerk-agent-tools-${platform}`;
if (!(name in optionalDependencies)) {
  const known = Object.keys(optionalDependencies).map((known) => known.slice('clerk-agent-tools-'.length));
  console.error(`there is no platform ${platform}\nhint: one of ${known.join(', ')}`);
  process.exit(2);
}

const [os, cpu, libc] = platform.split('-');
const libcs = { gnu: ['glibc'], musl: ['musl'] };
const executable = os === 'win32' ? 'clerk-mcp.exe' : 'clerk-mcp';
const description = {
  ...read('npm', 'linux-x64-gnu', 'package.json'),
  name,
  version,
  description: `The ${platform} binaries of clerk-agent-tools`,
  os: [os],
  cpu: [cpu],
  libc: libcs[libc],
  files: ['clerk-agent-tools.node', executable],
};
description.repository = { ...description.repository, directory: `bindings/node/npm/${platform}` };
mkdirSync(join(here, 'npm', platform), { recursive: true });
writeFileSync(join(here, 'npm', platform, 'package.json'), `${JSON.stringify(description, null, 2)}\n`);
