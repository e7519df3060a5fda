// Tools for LangChain, @langchain/core 0.3 and 1.

import { ToolMessage } from '@langchain/core/messages';
import { DynamicStructuredTool } from '@langchain/core/tools';
import { Toolkit } from './toolkit.js';

export * from './exported-errors.js';

/** Makes a toolkit whose tools go to `bindTools`, `createAgent` and `ToolNode`. */
export async function createClerkToolkit(options) {
  const toolkit = await Toolkit.open(options);
  const collect = (definitions) => definitions.map((definition) => tool(toolkit, definition));
  let map;
  return {
    ...toolkit.categories(collect),
    allTools: () => collect(toolkit.definitions),
    toolMap: () => {
      map ??= Object.fromEntries(collect(toolkit.definitions).map((made) => [made.name, made]));
      return map;
    },
    injectSessionClaims: toolkit.injectSessionClaims,
  };
}

/**
 * LangChain checks arguments against the schema and throws what it finds, without saying what is
 * wrong. The toolkit checks them itself and names every fault, so any arguments get through to it.
 */
class ClerkTool extends DynamicStructuredTool {
  call(...given) {
    return super.call.apply(Object.create(this, { schema: { value: {} } }), given);
  }
}

function tool(toolkit, { name, description, inputSchema }) {
  return new ClerkTool({
    name,
    description,
    schema: inputSchema,
    func: async (input, _manager, config) => {
      const { text, isError } = await toolkit.callForModel(name, input, config?.signal);
      const id = config?.toolCall?.id;
      if (isError && id) return new ToolMessage({ content: text, name, tool_call_id: id, status: 'error' });
      return JSON.parse(text);
    },
  });
}
