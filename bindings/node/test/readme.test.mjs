// Every snippet of the README, run as it stands, in each version that it names.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { FOLDER } from './support/consumers.mjs';
import { environment, startEmulator } from './support/emulator.mjs';
import { AVA } from './support/seed.mjs';

const run = promisify(execFile);
const ROOT = resolve(import.meta.dirname, '../../..');
const DOCUMENTS = ['bindings/node/README.md', 'docs/guides/from-clerk-agent-toolkit.md'];

const AUTH = { '@clerk/nextjs/server': `export const auth = async () => ({ userId: '${AVA}', sessionId: 'sess_1', orgId: null });` };

/** A model that asks for the memberships, and says what it got. `asks` and `says` make its two answers. */
const openai = (model, asks, says) => ({
  ...AUTH,
  '@ai-sdk/openai': `import { ${model} as Model } from 'ai/test';
    globalThis.prompts = [];
    export const openai = () => new Model({
      doGenerate: async ({ prompt }) => {
        prompts.push(prompt);
        const call = { toolCallId: '1', toolName: 'getUserOrganizationMembershipList' };
        if (prompts.length === 1) return ${asks};
        const [part] = prompt.at(-1).content;
        const text = JSON.stringify(part.output?.value ?? part.result);
        return ${says};
      },
    });`,
});
/** The models from AI SDK 5 on, by what they say of why they stopped and how much they used. */
const content = (model, reason, usage) =>
  openai(
    model,
    `{ content: [{ type: 'tool-call', ...call, input: '{}' }], finishReason: ${reason('tool-calls')}, usage: ${usage}, warnings: [] }`,
    `{ content: [{ type: 'text', text }], finishReason: ${reason('stop')}, usage: ${usage}, warnings: [] }`,
  );
const finish4 = (reason) => `finishReason: '${reason}', usage: { promptTokens: 1, completionTokens: 1 }, rawCall: {}`;
const reason6 = (reason) => `{ unified: '${reason}', raw: '${reason}' }`;
const usage6 = '{ inputTokens: { total: 1 }, outputTokens: { total: 1 } }';
const langchain = {
  ...AUTH,
  '@langchain/openai': `import { AIMessage } from '@langchain/core/messages';
    const tool_calls = [{ id: '1', name: 'getUserOrganizationMembershipList', args: {}, type: 'tool_call' }];
    export class ChatOpenAI {
      bindTools = () => ({ invoke: async () => new AIMessage({ content: '', tool_calls }) });
    }`,
};

/** Packages that a snippet imports besides, by the folder it runs in. */
const STAND_INS = {
  'ai-4': openai(
    'MockLanguageModelV1',
    `{ toolCalls: [{ toolCallType: 'function', ...call, args: '{}' }], ${finish4('tool-calls')} }`,
    `{ text, ${finish4('stop')} }`,
  ),
  'ai-5': content('MockLanguageModelV2', (reason) => `'${reason}'`, '{ inputTokens: 1, outputTokens: 1, totalTokens: 2 }'),
  'ai-6': content('MockLanguageModelV3', reason6, usage6),
  'ai-7': content('MockLanguageModelV4', reason6, usage6),
  'langchain-0.3': langchain,
  'langchain-1': langchain,
  'mcp-2': {},
  plain: {},
};
const AI = `if (!text.includes('Northwind')) throw new Error(text);
  if (!JSON.stringify(prompts[0]).includes('<session_claims_')) throw new Error('no claims');`;
const LANGCHAIN = `if (!messages.at(-1).content.includes('Northwind')) throw new Error(messages.at(-1).content);`;
/** What must have come of it. */
const AFTER = {
  'ai-4': AI,
  'ai-5': AI,
  'ai-6': AI,
  'ai-7': AI,
  'langchain-0.3': LANGCHAIN,
  'langchain-1': LANGCHAIN,
  'mcp-2': `await server.close();`,
  plain: `if (tools.length < 4) throw new Error('too few tools');`,
};

for (const [consumer, packages] of Object.entries(STAND_INS)) {
  for (const [specifier, code] of Object.entries(packages)) {
    const [, name, path = '.'] = specifier.match(/^(@[^/]+\/[^/]+)(?:\/(.+))?$/);
    const folder = join(FOLDER, consumer, 'node_modules', name);
    mkdirSync(folder, { recursive: true });
    const exported = path === '.' ? '.' : `./${path}`;
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ name, type: 'module', exports: { [exported]: './index.js' } }));
    writeFileSync(join(folder, 'index.js'), code);
  }
}

for (const document of DOCUMENTS) {
  const text = readFileSync(join(ROOT, document), 'utf8');
  const blocks = [...text.matchAll(/^```(\w+)(?: (.+))?\n([^]*?)^```$/gm)];
  for (const [index, [, language, consumers = '', code]] of blocks.entries()) {
    if (language === 'console' || language === 'diff') continue;
    if (language === 'json') {
      test(`${document}, block ${index}: a client's configuration`, () => {
        const { command, args } = JSON.parse(code).mcpServers.clerk;
        assert.equal(command, 'npx');
        assert.deepEqual(args, ['-y', 'clerk-agent-tools', '-p', 'local-mcp', '--tools', 'users'], 'package.test.mjs runs this');
      });
      continue;
    }
    for (const consumer of consumers.split(' ')) {
      test(`${document}, block ${index}: ${consumer}`, async (t) => {
        assert.ok(consumer in STAND_INS, `the block says where it runs: ${consumer}`);
        const emulator = await startEmulator(t);
        const path = join(FOLDER, consumer, `snippet-${document.length}-${index}.js`);
        writeFileSync(path, `${code}\n${AFTER[consumer]}\n`);
        const env = environment({ CLERK_SECRET_KEY: 'sk_test_emulate', CLERK_API_URL: emulator.url });
        const { stdout } = await run(process.execPath, [path], { env });
        if (consumer === 'plain') assert.match(stdout, /^ClerkApiError resource_not_found 404 /);
      });
    }
  }
}
