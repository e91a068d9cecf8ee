// Reads the record of whoever has signed in, and tries another one.
const outcome = (asked) => asked.then(() => 'read', (error) => error.message);

FHIR.oauth2.ready()
  .then(async (client) => ({
    id: client.patient.id,
    patient: await client.patient.read(),
    observations: await client.patient.request('Observation', { pageLimit: 0, flat: true }),
    everybody: await client.request('Observation', { pageLimit: 0, flat: true }),
    user: client.user.fhirUser,
    another: await outcome(client.request(`Patient/${client.patient.id === '1' ? 2 : 1}`)),
    hidden: await outcome(client.request('Observation/tobi-hba1c')),
  }))
  .catch((error) => ({ failed: error.message }))
  .then((result) => { document.getElementById('result').textContent = JSON.stringify(result); });
