// Every adapter in every framework version behind one face. `ask` is a whole agent loop: a scripted
// model asks for a tool, the tool runs, its result goes back to the model, the model finishes.

import assert from 'node:assert/strict';
import { load } from './consumers.mjs';

const DONE = 'All done.';

/** Name of the adapter → a function that makes it over these options. */
export const ADAPTERS = {
  'AI SDK 4': (options) => aiSdk('ai-4', options, dialect4),
  'AI SDK 5': (options) => aiSdk('ai-5', options, dialect5),
  'AI SDK 6': (options) => aiSdk('ai-6', options, dialect6),
  'AI SDK 7': (options) => aiSdk('ai-7', options, dialect7),
  'LangChain 0.3': (options) => langChain('langchain-0.3', options),
  'LangChain 1': (options) => langChain('langchain-1', options),
  'MCP SDK 1': (options) => mcp('mcp-1', options),
  'MCP SDK 2': (options) => mcp('mcp-2', options),
};

/**
 * What `ask` gives: the result as the model read it, and whether it was told that it is an error
 * (`undefined` where the framework cannot say).
 *
 * @typedef {{result: any, isError: boolean | undefined}} Answer
 */

async function aiSdk(consumer, options, dialect) {
  const ai = await load(consumer, 'ai');
  const mocks = await load(consumer, 'ai/test');
  const { createClerkToolkit } = await load(consumer, 'clerk-agent-tools/ai-sdk');
  const toolkit = await createClerkToolkit(options);
  const { Model, steps } = dialect(ai, mocks);
  const generate = async (name, args, { abortSignal } = {}) => {
    const prompts = [];
    const model = new Model({
      doGenerate: async (asked) => {
        prompts.push(asked);
        return prompts.length === 1 ? dialect.toolCall(name, JSON.stringify(args)) : dialect.text(DONE);
      },
    });
    const result = await ai.generateText({ model, tools: toolkit.allTools(), prompt: 'Go.', ...steps, abortSignal });
    return { prompts, text: result.text };
  };
  return {
    toolkit,
    generate,
    async ask(name, args = {}) {
      const { prompts, text } = await generate(name, args);
      assert.equal(text, DONE);
      assert.equal(prompts.length, 2);
      const messages = prompts[1].prompt;
      const [part, ...more] = messages.at(-1).content;
      assert.equal(messages.at(-1).role, 'tool');
      assert.deepEqual(more, []);
      assert.equal(part.toolName, name);
      return dialect.answer(part);
    },
    async schemas() {
      const { prompts } = await generate('getUserCount', {});
      const tools = prompts[0].tools ?? prompts[0].mode.tools;
      return new Map(tools.map((tool) => [tool.name, tool.parameters ?? tool.inputSchema]));
    },
    close() {},
  };
}

function dialect4(ai, mocks) {
  return { Model: mocks.MockLanguageModelV1, steps: { maxSteps: 3 } };
}
Object.assign(dialect4, {
  toolCall: (toolName, args) => ({
    ...reply4('tool-calls'),
    toolCalls: [{ toolCallType: 'function', toolCallId: 'call-1', toolName, args }],
  }),
  text: (text) => ({ ...reply4('stop'), text }),
  answer: ({ result, isError }) => ({ result, isError }),
});
const reply4 = (finishReason) => ({
  finishReason,
  usage: { promptTokens: 1, completionTokens: 1 },
  rawCall: { rawPrompt: null, rawSettings: {} },
});

const answer5 = ({ output }) => ({ result: output.value, isError: output.type.startsWith('error') });
function contentDialect(model, stop, reply) {
  const dialect = (ai, mocks) => ({ Model: mocks[model], steps: { stopWhen: ai[stop](3) } });
  return Object.assign(dialect, {
    toolCall: (toolName, input) => ({
      ...reply('tool-calls'),
      content: [{ type: 'tool-call', toolCallId: 'call-1', toolName, input }],
    }),
    text: (text) => ({ ...reply('stop'), content: [{ type: 'text', text }] }),
    answer: answer5,
  });
}

const dialect5 = contentDialect('MockLanguageModelV2', 'stepCountIs', (finishReason) => ({
  finishReason,
  usage: { inputTokens: 1, outputTokens: 1, totalTokens: 2 },
  warnings: [],
}));
const reply6 = (unified) => ({
  finishReason: { unified, raw: unified },
  usage: { inputTokens: { total: 1 }, outputTokens: { total: 1 } },
  warnings: [],
});
const dialect6 = contentDialect('MockLanguageModelV3', 'stepCountIs', reply6);
const dialect7 = contentDialect('MockLanguageModelV4', 'isStepCount', reply6);

async function langChain(consumer, options) {
  const { BaseChatModel } = await load(consumer, '@langchain/core/language_models/chat_models');
  const { AIMessage, HumanMessage } = await load(consumer, '@langchain/core/messages');
  const { convertToOpenAITool } = await load(consumer, '@langchain/core/utils/function_calling');
  const { createClerkToolkit } = await load(consumer, 'clerk-agent-tools/langchain');
  const toolkit = await createClerkToolkit(options);

  class ScriptedModel extends BaseChatModel {
    asked = [];
    tools = [];
    constructor(script) {
      super({});
      this.script = script;
    }
    _llmType() {
      return 'scripted';
    }
    bindTools(tools) {
      this.tools = tools.map((tool) => convertToOpenAITool(tool));
      return this;
    }
    async _generate(messages) {
      this.asked.push(messages);
      const message = this.script[this.asked.length - 1];
      return { generations: [{ text: String(message.content), message }] };
    }
  }

  const generate = async (name, args, { signal } = {}) => {
    const call = { id: 'call-1', name, args, type: 'tool_call' };
    const script = [new AIMessage({ content: '', tool_calls: [call] }), new AIMessage(DONE)];
    const model = new ScriptedModel(script);
    const bound = model.bindTools(toolkit.allTools());
    const messages = [new HumanMessage('Go.')];
    const asks = await bound.invoke(messages);
    messages.push(asks);
    for (const toolCall of asks.tool_calls) {
      messages.push(await toolkit.toolMap()[toolCall.name].invoke(toolCall, { signal }));
    }
    const last = await bound.invoke(messages);
    return { model, text: last.content };
  };
  return {
    toolkit,
    generate,
    async ask(name, args = {}) {
      const { model, text } = await generate(name, args);
      assert.equal(text, DONE);
      const message = model.asked[1].at(-1);
      assert.equal(message.getType(), 'tool');
      assert.equal(message.tool_call_id, 'call-1');
      assert.equal(message.name, name);
      return { result: JSON.parse(message.content), isError: message.status === 'error' };
    },
    async schemas() {
      const { model } = await generate('getUserCount', {});
      return new Map(model.tools.map(({ function: tool }) => [tool.name, tool.parameters]));
    },
    close() {},
  };
}

async function mcp(consumer, options) {
  const { createClerkMcpServer } = await load(consumer, 'clerk-agent-tools/modelcontextprotocol');
  const server = await createClerkMcpServer(options);
  const { Client, InMemoryTransport } =
    consumer === 'mcp-1'
      ? {
          ...(await load(consumer, '@modelcontextprotocol/sdk/client/index.js')),
          ...(await load(consumer, '@modelcontextprotocol/sdk/inMemory.js')),
        }
      : await load(consumer, '@modelcontextprotocol/client');
  const [ours, theirs] = InMemoryTransport.createLinkedPair();
  const client = new Client({ name: 'tests', version: '1.0.0' });
  await Promise.all([server.connect(ours), client.connect(theirs)]);
  const { tools } = await client.listTools();
  return {
    toolkit: server,
    tools,
    client,
    async ask(name, args = {}) {
      const { content, structuredContent, isError = false } = await client.callTool({ name, arguments: args });
      assert.equal(content.length, 1);
      assert.deepEqual(JSON.parse(content[0].text), structuredContent);
      return { result: structuredContent, isError };
    },
    async schemas() {
      return new Map(tools.map((tool) => [tool.name, tool.inputSchema]));
    },
    close: () => client.close(),
  };
}
