// A standalone launch of a public client (SMART App Launch 2.2 section 2.0.9), as fhirclient has it.
const asked = new URLSearchParams(location.search);
FHIR.oauth2.authorize({
  clientId: asked.get('client') ?? 'app',
  iss: asked.get('iss'),
  scope: 'openid fhirUser launch/patient patient/*.rs',
  redirectUri: '/',
  pkceMode: 'required',
});
