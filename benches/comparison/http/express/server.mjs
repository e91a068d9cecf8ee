// Express on loopback. With ISSUER it lets in that issuer's tokens for AUDIENCE alone.

import express from 'express';
import { auth } from 'express-oauth2-jwt-bearer';

const { PORT, ISSUER, AUDIENCE } = process.env;
const app = express();
if (ISSUER) {
  app.use(auth({ issuerBaseURL: ISSUER, audience: AUDIENCE, tokenSigningAlg: 'RS256' }));
}
app.get('/r4/Patient/:id', (_request, response) => response.type('text').send('ok'));
app.listen(Number(PORT), '127.0.0.1');
