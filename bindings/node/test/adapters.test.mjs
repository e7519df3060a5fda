// Every tool through every adapter and version, in a whole loop. What goes to Clerk and what comes
// back is the same everywhere.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ADAPTERS } from './support/adapters.mjs';
import { startEmulator } from './support/emulator.mjs';

const AVA = 'user_2EmuAvaMitchell000000000000';

for (const [name, make] of Object.entries(ADAPTERS)) {
  test(`${name}: a model reads a user and finishes`, async (t) => {
    const emulator = await startEmulator(t);
    const adapter = await make(emulator.options);
    t.after(() => adapter.close());
    const { result, isError } = await adapter.ask('getUser', { userId: AVA });
    assert.equal(result.first_name, 'Ava');
    assert.ok(!isError);
    const schemas = await adapter.schemas();
    assert.ok(schemas.get('getUser').properties.userId);
  });
}
