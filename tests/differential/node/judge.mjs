// Judges each case of a file: `node judge.mjs jose|oauth4webapi FILE` prints a list of verdicts.

import { readFileSync } from 'node:fs'
import * as jose from 'jose'
import * as oauth from 'oauth4webapi'

const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519']
const [judge, file] = process.argv.slice(2)
const { issuer, audience, cases } = JSON.parse(readFileSync(file, 'utf8'))

async function byJose({ token, jwks }) {
  await jose.jwtVerify(token, jose.createLocalJWKSet(jwks), {
    algorithms, issuer, audience, clockTolerance: 60, requiredClaims: ['exp', 'sub'],
  })
}

async function byOauth4webapi({ token, jwks }) {
  const server = { issuer, jwks_uri: 'https://idp.example.org/keys' }
  const request = new Request(audience + '/Patient/1', { headers: { authorization: `Bearer ${token}` } })
  await oauth.validateJwtAccessToken(server, request, audience, {
    [oauth.clockTolerance]: 60,
    [oauth.customFetch]: async () => Response.json(jwks),
  })
}

const verdicts = []
for (const one of cases) {
  try {
    await (judge === 'jose' ? byJose(one) : byOauth4webapi(one))
    verdicts.push({ accepted: true, reason: 'accepted' })
  } catch (error) {
    verdicts.push({ accepted: false, reason: `${error.code ?? error.name}: ${error.message}` })
  }
}
process.stdout.write(JSON.stringify(verdicts))
