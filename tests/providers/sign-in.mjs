// How somebody signs in at oidc-provider here: whoever comes is `ada`, by the second factor if it is asked for,
// and everything that is asked for is granted.

import { interactionPolicy } from 'oidc-provider';

const policy = interactionPolicy.base();
const asksForMore = 'the session is of another authentication context than is asked for';
policy.get('login').checks.add(new interactionPolicy.Check('acr_values', asksForMore, (context) => {
  const asked = context.oidc.params.acr_values?.split(' ');
  const enough = !asked || asked.includes(context.oidc.session.acr);
  return enough ? interactionPolicy.Check.NO_NEED_TO_PROMPT : interactionPolicy.Check.REQUEST_PROMPT;
}));

export const interactions = { policy, url: (_context, { uid }) => `/interaction/${uid}` };

async function granted(provider, { grantId, params, prompt, session }) {
  const grant = grantId
    ? await provider.Grant.find(grantId)
    : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  const { missingOIDCScope, missingResourceScopes } = prompt.details;
  if (missingOIDCScope) grant.addOIDCScope(missingOIDCScope.join(' '));
  for (const [resource, scopes] of Object.entries(missingResourceScopes ?? {})) {
    grant.addResourceScope(resource, scopes.join(' '));
  }
  return grant.save();
}

export async function signIn(provider, request, response) {
  const details = await provider.interactionDetails(request, response);
  const acr = details.params.acr_values?.split(' ')[0] ?? 'urn:example:password';
  const result = details.prompt.name === 'login'
    ? { login: { accountId: 'ada', acr, amr: [acr.split(':').pop()] } }
    : { consent: { grantId: await granted(provider, details) } };
  await provider.interactionFinished(request, response, result);
}
