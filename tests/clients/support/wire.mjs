// `fetch` with an ear and a hand on the line.

export class Wire {
  /**
   * What was sent and answered, in order: method, path, `sent` (the request's headers), `grant` (the grant type of a
   * token request), status, headers, `answer` (of a token request), `isOver` (a stream's end), `isLost`.
   */
  exchanges = [];
  #losses = 0;

  /** For clients that take a `fetch`. */
  fetch = async (input, init) => {
    const request = new Request(input, init);
    const { pathname: path } = new URL(request.url);
    const form = path === '/token' ? new URLSearchParams(await request.clone().text()) : null;
    const exchange = { method: request.method, path, sent: request.headers, grant: form?.get('grant_type'), presented: form?.get('refresh_token') };
    this.exchanges.push(exchange);
    const response = await fetch(request);
    exchange.status = response.status;
    exchange.headers = response.headers;
    if (form) exchange.answer = await response.clone().json();
    if (exchange.grant === 'refresh_token' && this.#losses > 0) {
      this.#losses -= 1;
      exchange.isLost = true;
      await response.arrayBuffer();
      throw new TypeError('fetch failed: the connection was lost');
    }
    if (!response.headers.get('content-type')?.startsWith('text/event-stream')) return response;
    const listened = response.body.pipeThrough(new TransformStream({ flush: () => void (exchange.isOver = true) }));
    return new Response(listened, { status: response.status, headers: response.headers });
  };

  /** The answers to the next refreshes are lost, after the server has done its work. */
  loseRefreshes(count = 1) {
    this.#losses = count;
  }

  /** Each `METHOD /path status`. */
  lines() {
    return this.exchanges.map(({ method, path, status }) => `${method} ${path} ${status}`);
  }

  refreshes() {
    return this.exchanges.filter(({ grant }) => grant === 'refresh_token');
  }

  /** The last exchange on this path by this method. */
  last(path, method = 'POST') {
    return this.exchanges.findLast((exchange) => exchange.path === path && exchange.method === method);
  }
}
