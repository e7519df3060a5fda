// Makes a folder for each framework version, as its user would have it: our package beside that
// version under its real name. Our files are copied: a link would find its packages from where it
// leads to.

import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { CONSUMERS, FOLDER, PREDECESSOR } from './consumers.mjs';

const TEST = resolve(import.meta.dirname, '..');
const PACKAGE = resolve(TEST, '..');

rmSync(FOLDER, { recursive: true, force: true });
for (const [name, links] of Object.entries(CONSUMERS)) {
  const modules = join(FOLDER, name, 'node_modules');
  const ours = join(modules, 'clerk-agent-tools');
  mkdirSync(ours, { recursive: true });
  const { files } = JSON.parse(readFileSync(join(PACKAGE, 'package.json'), 'utf8'));
  for (const file of ['package.json', ...files]) {
    cpSync(join(PACKAGE, file), join(ours, file), { recursive: true });
  }
  link(join(PACKAGE, 'npm/linux-x64-gnu'), join(modules, 'clerk-agent-tools-linux-x64-gnu'));
  for (const [as, installed] of Object.entries(links)) {
    link(join(TEST, 'node_modules', installed), join(modules, as));
  }
  writeFileSync(join(FOLDER, name, 'package.json'), '{"type": "module"}\n');
  writeFileSync(join(FOLDER, name, 'load.js'), 'export const load = (specifier) => import(specifier);\n');
}

const predecessor = join(FOLDER, 'predecessor/node_modules');
cpSync(join(TEST, 'node_modules/agent-toolkit'), join(predecessor, '@clerk/agent-toolkit'), { recursive: true });
for (const [as, installed] of Object.entries(PREDECESSOR)) {
  link(join(TEST, 'node_modules', installed), join(predecessor, as));
}

function link(target, path) {
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(target, path);
}
