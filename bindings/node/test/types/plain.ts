import { createClerkToolkit, ClerkToolkitError, type ToolDefinition } from 'clerk-agent-tools';
import { createClerkClient } from '@clerk/backend';

const toolkit = await createClerkToolkit({ clerkClient: { secretKey: '' } });
const tools: ToolDefinition[] = toolkit.allTools();
const user = await toolkit.call(tools[0]!.name, { userId: '' }, { signal: AbortSignal.timeout(1) });
const id: unknown = user['id'];
await createClerkToolkit({ authContext: { sessionToken: '' } });
try {
  toolkit.users();
} catch (error) {
  if (error instanceof ClerkToolkitError) {
    const code: string = error.code;
    const status: number | undefined = error.status;
    const all: [string, number | undefined, string | undefined] = [code, status, error.hint];
    all.fill(code, 0, 0);
  }
}
// @ts-expect-error An instance does not do: its key cannot be read.
await createClerkToolkit({ clerkClient: createClerkClient({}) });
// @ts-expect-error A context names somebody.
await createClerkToolkit({ authContext: {} });
export { id };
