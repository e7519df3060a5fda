// Every snippet of the README, run as it stands.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { FOLDER } from './support/consumers.mjs';
import { environment, startEmulator } from './support/emulator.mjs';
import { AVA } from './support/seed.mjs';

const run = promisify(execFile);
const ROOT = resolve(import.meta.dirname, '../../..');
const DOCUMENTS = ['bindings/node/README.md', 'docs/guides/from-clerk-agent-toolkit.md'];

const AUTH = `const auth = async () => ({ userId: '${AVA}', sessionId: 'sess_1', orgId: null });`;
/** What a snippet takes from its program, by the folder it runs in. */
const BEFORE = {
  'ai-7': `import { MockLanguageModelV4 } from 'ai/test';
    ${AUTH}
    const usage = { inputTokens: { total: 1 }, outputTokens: { total: 1 } };
    const prompts = [];
    const model = new MockLanguageModelV4({
      doGenerate: async ({ prompt }) => {
        prompts.push(prompt);
        const first = prompts.length === 1;
        const finish = first ? 'tool-calls' : 'stop';
        const content = first
          ? [{ type: 'tool-call', toolCallId: '1', toolName: 'getUserOrganizationMembershipList', input: '{}' }]
          : [{ type: 'text', text: JSON.stringify(prompt.at(-1).content[0].output.value) }];
        return { content, finishReason: { unified: finish, raw: finish }, usage, warnings: [] };
      },
    });`,
  'langchain-1': `${AUTH}
    import { AIMessage } from '@langchain/core/messages';
    const tool_calls = [{ id: '1', name: 'getUserOrganizationMembershipList', args: {}, type: 'tool_call' }];
    const model = { bindTools: () => ({ invoke: async () => new AIMessage({ content: '', tool_calls }) }) };`,
  'mcp-2': '',
  plain: '',
};
/** What must have come of it. */
const AFTER = {
  'ai-7': `if (!text.includes('Northwind')) throw new Error(text);
    if (!JSON.stringify(prompts[0]).includes('<session_claims_')) throw new Error('no claims');`,
  'langchain-1': `if (!messages.at(-1).content.includes('Northwind')) throw new Error(messages.at(-1).content);`,
  'mcp-2': `await server.close();`,
  plain: `if (tools.length < 4) throw new Error('too few tools');`,
};

for (const document of DOCUMENTS) {
  const text = readFileSync(join(ROOT, document), 'utf8');
  const blocks = [...text.matchAll(/^```(\w+)(?: (\S+))?\n([^]*?)^```$/gm)];
  for (const [index, [, language, consumer, code]] of blocks.entries()) {
    if (language === 'console' || language === 'diff') continue;
    if (language === 'json') {
      test(`${document}, block ${index}: a client's configuration`, () => {
        const { command, args } = JSON.parse(code).mcpServers.clerk;
        assert.equal(command, 'npx');
        assert.deepEqual(args, ['-y', 'clerk-agent-tools', '-p', 'local-mcp', '--tools', 'users'], 'package.test.mjs runs this');
      });
      continue;
    }
    test(`${document}, block ${index}: ${consumer}`, async (t) => {
      assert.ok(consumer in BEFORE, `the block says where it runs: ${consumer}`);
      const emulator = await startEmulator(t);
      const path = join(FOLDER, consumer, `snippet-${document.length}-${index}.js`);
      writeFileSync(path, `${BEFORE[consumer]}\n${code}\n${AFTER[consumer]}\n`);
      const env = environment({ CLERK_SECRET_KEY: 'sk_test_emulate', CLERK_API_URL: emulator.url });
      const { stdout } = await run(process.execPath, [path], { env });
      if (consumer === 'plain') assert.match(stdout, /^ClerkApiError resource_not_found 404 /);
    });
  }
}
