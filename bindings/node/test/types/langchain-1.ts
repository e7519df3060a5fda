import { createClerkToolkit } from 'clerk-agent-tools/langchain';
import type { BaseChatModel } from '@langchain/core/language_models/chat_models';
import type { StructuredToolInterface } from '@langchain/core/tools';

declare const model: BaseChatModel;

const toolkit = await createClerkToolkit({ secretKey: '', allowPrivateMetadata: true, readOnly: true });
const bound = model.bindTools!(toolkit.users());
const tools: StructuredToolInterface[] = [...toolkit.allTools(), ...toolkit.organizations()];
const message = await bound.invoke([toolkit.injectSessionClaims('')]);
for (const call of message.tool_calls ?? []) {
  await toolkit.toolMap()[call.name as 'getUser'].invoke(call);
}
tools.length = 0;
