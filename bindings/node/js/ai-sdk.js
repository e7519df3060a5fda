// Tools for the Vercel AI SDK, versions 4 to 7.

import { Toolkit } from './toolkit.js';

export * from './exported-errors.js';

// What the SDK's `jsonSchema()` makes, under the names that its versions share. Made here so that the
// `ai` that runs the tools need not be the one that is found from here.
const SCHEMA = Symbol.for('vercel.ai.schema');
const VALIDATOR = Symbol.for('vercel.ai.validator');

/** Makes a toolkit whose tools go into `tools` of `generateText`, `streamText` and agents. */
export async function createClerkToolkit(options) {
  const toolkit = await Toolkit.open(options);
  const collect = (definitions) =>
    Object.fromEntries(definitions.map((definition) => [definition.name, tool(toolkit, definition)]));
  const allTools = () => collect(toolkit.definitions);
  return {
    ...toolkit.categories(collect),
    allTools,
    toolMap: allTools,
    injectSessionClaims: toolkit.injectSessionClaims,
  };
}

function tool(toolkit, { name, title, description, inputSchema }) {
  const schema = jsonSchema(inputSchema);
  // Set on a result that is an error; the SDK hands the same object back to `toModelOutput`.
  const errors = new WeakSet();
  return {
    title,
    description,
    /** Version 4. */
    parameters: schema,
    /** Version 5 and later. */
    inputSchema: schema,
    execute: async (input, { abortSignal } = {}) => {
      const { text, isError } = await toolkit.callForModel(name, input, abortSignal);
      const output = JSON.parse(text);
      if (isError) errors.add(output);
      return output;
    },
    // Version 5 gives the output itself, later ones give it in an object.
    toModelOutput: (given) => {
      const output = 'toolCallId' in given ? given.output : given;
      return { type: errors.has(output) ? 'error-json' : 'json', value: output };
    },
  };
}

function jsonSchema(schema) {
  return {
    [SCHEMA]: true,
    [VALIDATOR]: true,
    _type: undefined,
    jsonSchema: schema,
    // The toolkit checks arguments itself, and names every fault at once.
    validate: undefined,
  };
}
