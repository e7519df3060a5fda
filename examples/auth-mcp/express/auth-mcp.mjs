// app.use(clerkMiddleware());
// app.get('/auth/mcp', authMcp);
import { getAuth } from '@clerk/express';

/** The MCP server's callback: the only address that a session token is ever sent to. */
const CALLBACK = process.env.MCP_CALLBACK_URL;

/** @type {import('express').RequestHandler} */
export async function authMcp(request, response) {
  if (!CALLBACK) throw new Error('set MCP_CALLBACK_URL, such as https://mcp.example.com/callback');
  const { state, callback_url: callbackUrl } = request.query;
  if (typeof state !== 'string' || !state || callbackUrl !== CALLBACK) {
    response.status(400).type('text').send('This is no sign-in of our MCP server.');
    return;
  }
  const { isAuthenticated, getToken } = getAuth(request);
  if (!isAuthenticated) {
    response.redirect(`/sign-in?redirect_url=${encodeURIComponent(request.originalUrl)}`);
    return;
  }

  const back = new URL(CALLBACK);
  back.searchParams.set('state', state);
  back.searchParams.set('clerk_token', (await getToken()) ?? '');
  response.set({ 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' });
  response.redirect(303, back.href);
}
