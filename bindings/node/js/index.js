// Tools without a framework.

import { Toolkit } from './toolkit.js';

export * from './exported-errors.js';

/** Makes a toolkit for programs that bring their own agent loop. */
export async function createClerkToolkit(options) {
  const toolkit = await Toolkit.open(options);
  const select = (tools) => tools;
  return {
    ...toolkit.categories(select),
    allTools: () => toolkit.definitions,
    toolMap: () => Object.fromEntries(toolkit.definitions.map((tool) => [tool.name, tool])),
    call: (name, args, callOptions) => toolkit.call(name, args, callOptions),
    injectSessionClaims: toolkit.injectSessionClaims,
  };
}
