// A web site with a client's metadata document (Client ID Metadata Document) and keys, with TLS under a certificate
// authority of its own, on this machine.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { join } from 'node:path';
import { folder } from './remote.mjs';

const HOST = 'client.example';

/**
 * @param {string} redirectUri where the client wants its codes
 * @param {{keys?: object[], methods?: string[], inline?: boolean}} signing the client's public keys as JSON Web Keys, which
 *   can be replaced in the result; the ways it offers to authenticate, the preferred one last; whether the keys are in the
 *   document
 * @returns the document's URL, the configuration that lets the server find it, what was fetched, and the keys
 */
export async function startMetadataHost(t, redirectUri, { keys = [], methods = ['none'], inline = false } = {}) {
  const dir = folder(t);
  const file = (name) => join(dir, name);
  const openssl = (...args) => execFileSync('openssl', args, { cwd: dir, stdio: 'pipe' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=Test CA');
  const server = ['-addext', `subjectAltName=DNS:${HOST}`, '-addext', 'basicConstraints=critical,CA:FALSE'];
  openssl('req', '-x509', ...key, ...server, '-CA', 'ca.pem', '-CAkey', 'ca.key', '-keyout', 'host.key', '-out', 'host.pem', '-subj', `/CN=${HOST}`);

  const url = `https://${HOST}/mcp/client.json`;
  const document = {
    client_id: url,
    client_name: 'Client with a document',
    redirect_uris: [redirectUri],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: methods.at(-1),
    ...(methods.length > 1 && { token_endpoint_auth_methods_supported: methods }),
    ...(methods.includes('private_key_jwt') && (inline ? { jwks: { keys } } : { jwks_uri: `https://${HOST}/mcp/jwks.json` })),
  };
  const published = { keys };
  const fetched = [];
  const web = createServer({ key: readFileSync(file('host.key')), cert: readFileSync(file('host.pem')) }, (request, response) => {
    fetched.push(`${request.headers.host}${request.url}`);
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(request.url.endsWith('/jwks.json') ? published : document));
  });
  await new Promise((done) => web.listen(0, '127.0.0.1', done));
  t.after(() => web.close().closeAllConnections());
  const config = `[cimd.test]\nhosts = { "${HOST}" = "127.0.0.1:${web.address().port}" }\nca_file = "${file('ca.pem')}"\n`;
  return { url, config, fetched, published };
}
