// app/auth/mcp/route.ts
import { auth } from '@clerk/nextjs/server';

/** The MCP server's callback: the only address that a session token is ever sent to. */
const CALLBACK = process.env.MCP_CALLBACK_URL;

export async function GET(request: Request): Promise<Response> {
  if (!CALLBACK) throw new Error('set MCP_CALLBACK_URL, such as https://mcp.example.com/callback');
  const asked = new URL(request.url).searchParams;
  const state = asked.get('state');
  if (!state || asked.get('callback_url') !== CALLBACK) {
    return new Response('This is no sign-in of our MCP server.', { status: 400 });
  }
  const { isAuthenticated, getToken, redirectToSignIn } = await auth();
  if (!isAuthenticated) return redirectToSignIn();

  const back = new URL(CALLBACK);
  back.searchParams.set('state', state);
  back.searchParams.set('clerk_token', (await getToken()) ?? '');
  return new Response(null, {
    status: 303,
    headers: { location: back.href, 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' },
  });
}
