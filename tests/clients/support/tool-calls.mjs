// Calls through any of the clients, and what every result must be.

import assert from 'node:assert/strict';

/** Calls a tool that must succeed, and gives its structured content. */
export async function call(client, name, args = {}, ...options) {
  const result = await client.callTool({ name, arguments: args }, ...options);
  assert.ok(!result.isError, `${name}: ${result.content?.[0]?.text}`);
  assertTextIsStructure(result);
  return result.structuredContent;
}

/** Calls a tool that must fail, and gives the error. */
export async function refusal(client, name, args = {}, ...options) {
  const result = await client.callTool({ name, arguments: args }, ...options);
  assert.equal(result.isError, true, `${name} should fail: ${result.content?.[0]?.text}`);
  assertTextIsStructure(result);
  const { error } = result.structuredContent;
  assert.equal(typeof error.code, 'string');
  assert.ok(error.message.length > 0);
  return error;
}

function assertTextIsStructure(result) {
  assert.equal(result.content.length, 1);
  assert.equal(result.content[0].type, 'text');
  assert.deepEqual(JSON.parse(result.content[0].text), result.structuredContent);
}
