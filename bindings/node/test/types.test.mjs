// The types, as TypeScript programs over each version see them, and as published.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { CONSUMERS, FOLDER, load } from './support/consumers.mjs';

const BIN = resolve(import.meta.dirname, 'node_modules/.bin');
const PACKAGE = resolve(import.meta.dirname, '..');

for (const consumer of Object.keys(CONSUMERS)) {
  test(`tsc over ${consumer}`, { timeout: 600_000 }, () => {
    const folder = join(FOLDER, consumer);
    copyFileSync(join(import.meta.dirname, 'types', `${consumer}.ts`), join(folder, 'program.ts'));
    const compilerOptions = {
      module: 'nodenext',
      target: 'es2023',
      lib: ['es2023', 'dom', 'dom.iterable'],
      strict: true,
      exactOptionalPropertyTypes: consumer === 'plain',
      noEmit: true,
      // Other packages' declarations have faults of their own; only lines about ours count.
      skipLibCheck: false,
      typeRoots: [join(import.meta.dirname, 'node_modules/@types')],
      types: ['node', 'json-schema'],
    };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['program.ts'] }));
    let output = '';
    try {
      execFileSync(join(BIN, 'tsc'), ['--pretty', 'false'], { cwd: folder, encoding: 'utf8', maxBuffer: 1 << 26 });
    } catch (error) {
      output = error.stdout;
    }
    const ours = output.split('\n').filter((line) => /^(program\.ts|node_modules\/clerk-agent-tools\/)/.test(line));
    assert.deepEqual(ours, [], output.slice(0, 2000));
    assert.doesNotMatch(output, /error TS\d+: (?:Unknown|No inputs)/);
  });
}

test('attw finds nothing', { timeout: 600_000 }, (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'attw-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  execFileSync('npm', ['pack', '--pack-destination', folder, '--loglevel=error'], { cwd: PACKAGE });
  const { version } = JSON.parse(readFileSync(join(PACKAGE, 'package.json'), 'utf8'));
  const output = execFileSync(
    join(BIN, 'attw'),
    [join(folder, `clerk-agent-tools-${version}.tgz`), '--profile', 'esm-only', '--format', 'json'],
    { encoding: 'utf8', maxBuffer: 1 << 26 },
  );
  const { analysis } = JSON.parse(output);
  const faults = analysis.problems.filter((fault) => !['node10', 'node16-cjs'].includes(fault.resolutionKind));
  assert.deepEqual(faults, []);
});

test('the tool names in the types are the tools', async () => {
  const { createClerkToolkit } = await load('plain', 'clerk-agent-tools');
  const toolkit = await createClerkToolkit({ secretKey: 'sk_test_x' });
  const types = readFileSync(join(PACKAGE, 'js/types.d.ts'), 'utf8');
  for (const [category, type] of [['users', 'User'], ['organizations', 'Organization'], ['invitations', 'Invitation']]) {
    const [, union] = types.match(new RegExp(`type ${type}ToolName =([^;]+);`));
    const names = [...union.matchAll(/'(\w+)'/g)].map(([, name]) => name);
    assert.deepEqual(names, toolkit[category]().map((tool) => tool.name));
  }
});
