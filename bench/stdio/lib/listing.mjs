// The size of `tools/list`: what a model reads before it has done anything.

/** Most bytes a tool may take on average. */
export const BUDGET = { withOutputSchema: 1150, withoutOutputSchema: 800 };

export function measureListing(answers) {
  const listings = Object.entries(answers).map(([name, answer]) => {
    const { tools, nextCursor } = JSON.parse(answer).result;
    if (nextCursor) {
      throw new Error(`${name} lists its tools in several pages`);
    }
    const average = (shown) =>
      Math.round(tools.map(shown).reduce((sum, tool) => sum + bytes(tool), 0) / tools.length);
    return [
      name,
      {
        tools: tools.length,
        answerBytes: Buffer.byteLength(answer),
        withOutputSchema: average((tool) => tool),
        withoutOutputSchema: average(({ outputSchema: _, ...tool }) => tool),
      },
    ];
  });
  return Object.fromEntries(listings);
}

/** What exceeds its budget. */
export function checkBudgets(listing) {
  return Object.entries(BUDGET)
    .filter(([measure, most]) => listing['clerk-mcp'][measure] > most)
    .map(
      ([measure, most]) =>
        `tools/list: ${listing['clerk-mcp'][measure]} bytes a tool ${measure}, at most ${most}`,
    );
}

function bytes(value) {
  return Buffer.byteLength(JSON.stringify(value));
}
