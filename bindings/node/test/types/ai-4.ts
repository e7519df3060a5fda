import { createClerkToolkit, ClerkApiError, type ToolName } from 'clerk-agent-tools/ai-sdk';
import { generateText, streamText, type LanguageModel } from 'ai';

declare const model: LanguageModel;
declare const auth: { userId: string; sessionId: string; orgId: string | undefined; has: () => boolean };

const toolkit = await createClerkToolkit({ authContext: auth, tools: ['users'] });
const one = { ...toolkit.users(), ...toolkit.organizations(), ...toolkit.invitations() };
const result = await generateText({ model, tools: one, prompt: '', system: toolkit.injectSessionClaims('') });
streamText({ model, tools: toolkit.allTools(), prompt: '' });
generateText({ model, tools: { getUser: toolkit.toolMap().getUser }, prompt: '' });
const text: string = result.text;
const names: ToolName[] = ['getUser'];
const error: unknown = text;
if (error instanceof ClerkApiError) names.length = error.status ?? 0;
// @ts-expect-error There is no such tool.
toolkit.users().getNothing;
// @ts-expect-error Nor such an option.
await createClerkToolkit({ allow: true });
