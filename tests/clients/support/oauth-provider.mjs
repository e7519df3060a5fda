// What an application gives the TypeScript clients, versions 1 and 2 alike: where it keeps what OAuth needs, and a
// person who signs in.

import { randomUUID } from 'node:crypto';
import { signIn } from './person.mjs';

export class Application {
  redirectUrl = 'http://127.0.0.1:33418/callback';
  /** Authorization URLs that were opened. */
  opened = [];
  #person;
  #registered;
  #tokens;
  #verifier;
  #discovered;
  #state;

  /**
   * @param person who signs in, as for `signIn`
   * @param {{metadataUrl?: string, client?: {client_id: string, client_secret?: string}}} identity how the server knows
   *   the application: by its metadata document, as configured, or, left out, by registration
   */
  constructor(person, { metadataUrl, client } = {}) {
    this.#person = person;
    this.#registered = client;
    if (metadataUrl) this.clientMetadataUrl = metadataUrl;
  }

  get clientMetadata() {
    return {
      client_name: 'Client tests',
      redirect_uris: [this.redirectUrl],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    };
  }

  state() {
    this.#state = randomUUID();
    return this.#state;
  }

  clientInformation() {
    return this.#registered;
  }

  saveClientInformation(information) {
    this.#registered = information;
  }

  tokens() {
    return this.#tokens;
  }

  saveTokens(tokens) {
    this.#tokens = tokens;
  }

  saveCodeVerifier(verifier) {
    this.#verifier = verifier;
  }

  codeVerifier() {
    return this.#verifier;
  }

  saveDiscoveryState(state) {
    this.#discovered = state;
  }

  discoveryState() {
    return this.#discovered;
  }

  redirectToAuthorization(url) {
    this.opened.push(url);
  }

  invalidateCredentials(scope) {
    if (['all', 'client'].includes(scope)) this.#registered = undefined;
    if (['all', 'tokens'].includes(scope)) this.#tokens = undefined;
    if (['all', 'discovery'].includes(scope)) this.#discovered = undefined;
  }

  /** What is in the URL that the person's browser opens here, after they were sent away last. */
  async answer() {
    const back = await signIn(this.opened.at(-1), this.#person);
    if (back.searchParams.get('state') !== this.#state) throw new Error('the state is another');
    return back.searchParams;
  }
}
