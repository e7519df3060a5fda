// app/routes/auth.mcp.ts
import { getAuth } from '@clerk/react-router/server';
import { redirect, type LoaderFunctionArgs } from 'react-router';

/** The MCP server's callback: the only address that a session token is ever sent to. */
const CALLBACK = process.env.MCP_CALLBACK_URL;

export async function loader(args: LoaderFunctionArgs): Promise<Response> {
  if (!CALLBACK) throw new Error('set MCP_CALLBACK_URL, such as https://mcp.example.com/callback');
  const url = new URL(args.request.url);
  const state = url.searchParams.get('state');
  if (!state || url.searchParams.get('callback_url') !== CALLBACK) {
    return new Response('This is no sign-in of our MCP server.', { status: 400 });
  }
  const { isAuthenticated, getToken } = await getAuth(args);
  if (!isAuthenticated) {
    return redirect(`/sign-in?redirect_url=${encodeURIComponent(url.pathname + url.search)}`);
  }

  const back = new URL(CALLBACK);
  back.searchParams.set('state', state);
  back.searchParams.set('clerk_token', (await getToken()) ?? '');
  return redirect(back.href, {
    status: 303,
    headers: { 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' },
  });
}
