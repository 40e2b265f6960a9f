// A foreign identity provider (oidc-provider, certified for OpenID Connect) and, behind its tokens, the two
// listings of an upstream with one tenant. It knows nothing of the exporter and shares no code with it.
//
//   node provider.mjs CERTIFICATE.pem
//
// Two clients may ask for tokens: `by-secret` with a client secret, `by-key` with an assertion signed by the key
// of the certificate. Prints where it listens, then a line for each token given or refused.

import { createHash, createPublicKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';

import Provider from 'oidc-provider';

const SCOPES = ['elements.um.user.read.all', 'elements.cbprotected.read.all'];

const pem = readFileSync(process.argv[2]);
const certificate = new X509Certificate(pem);
const thumbprint = createHash('sha1').update(certificate.raw).digest();
// Without `alg`: the provider takes the key for what its clients are told to sign with.
const key = {
  ...createPublicKey(pem).export({ format: 'jwk' }),
  use: 'sig',
  kid: thumbprint.toString('hex').toUpperCase(),
  x5t: thumbprint.toString('base64url'),
};
const client = {
  grant_types: ['client_credentials'],
  redirect_uris: [],
  response_types: [],
  scope: SCOPES.join(' '),
};

// First the port, since the provider must know its own address.
const server = http.createServer((request, response) => handle(request, response));
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const url = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(url, {
  clients: [
    {
      ...client,
      client_id: 'by-secret',
      client_secret: 'the secret of by-secret',
      token_endpoint_auth_method: 'client_secret_post',
    },
    {
      ...client,
      client_id: 'by-key',
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: 'RS256',
      jwks: { keys: [key] },
    },
  ],
  clientAuthMethods: ['client_secret_post', 'private_key_jwt'],
  enabledJWA: { clientAuthSigningAlgValues: ['RS256'] },
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
  },
  scopes: SCOPES,
  ttl: { ClientCredentials: 600 },
});
provider.on('grant.success', (ctx) => {
  const { clientId, clientAuthMethod } = ctx.oidc.client;
  console.log(`given to ${clientId} by ${clientAuthMethod}`);
});
provider.on('grant.error', (ctx, error) => {
  console.log(`refused: ${error.error}: ${error.error_description}: ${error.error_detail ?? ''}`);
});
const identity = provider.callback();

const LISTINGS = [
  ['GET', '/overview/security/users', SCOPES[0], [{ id: 'a', status: [3] }]],
  ['POST', '/cloud-backup-m365/users/batch', SCOPES[1], []],
];

async function handle(request, response) {
  const { pathname } = new URL(request.url, url);
  if (!pathname.startsWith('/partner/')) {
    return identity(request, response);
  }
  const listing = LISTINGS.find(([method, end]) => request.method === method && pathname.endsWith(end));
  if (!listing) {
    return response.writeHead(404).end();
  }
  const [, , scope, data] = listing;
  const [, token] = /^Bearer (.+)$/.exec(request.headers.authorization ?? '') ?? [];
  const granted = token && (await provider.ClientCredentials.find(token));
  if (!granted?.isValid) {
    return response.writeHead(401).end();
  }
  if (!granted.scopes.has(scope)) {
    return response.writeHead(403).end();
  }
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ data, metadata: { totalCount: data.length } }));
}

console.log(`ready at ${url}`);
