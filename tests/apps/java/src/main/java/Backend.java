// A backend service by HAPI FHIR's client: `java Backend BASE KEY KID`, with the key as a PEM file. It
// authenticates with a signed assertion (SMART Backend Services), reads and writes, and prints what happened.

import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.rest.client.api.IGenericClient;
import ca.uhn.fhir.rest.client.api.ServerValidationModeEnum;
import ca.uhn.fhir.rest.client.interceptor.BearerTokenAuthInterceptor;
import ca.uhn.fhir.rest.server.exceptions.BaseServerResponseException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.Signature;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.Map;
import java.util.UUID;
import java.util.stream.Collectors;
import org.hl7.fhir.r4.model.Bundle;
import org.hl7.fhir.r4.model.Patient;

public final class Backend {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final FhirContext R4 = FhirContext.forR4();

    public static void main(String[] arguments) throws Exception {
        // The client asks for `metadata` by itself before its first request.
        R4.getRestfulClientFactory().setServerValidationMode(ServerValidationModeEnum.ONCE);
        String base = arguments[0];
        PrivateKey key = key(Path.of(arguments[1]));
        ObjectNode did = JSON.createObjectNode();
        did.put("nobody", status(() -> read(R4.newRestfulGenericClient(base), "1")));

        IGenericClient client = client(base, token(base, key, arguments[2], "system/*.cruds"));
        Patient patient = new Patient();
        patient.addName().setFamily("Haddad");
        String id = client.create().resource(patient).execute().getId().getIdPart();
        Patient read = read(client, id);
        did.put("family", read.getNameFirstRep().getFamily());
        read.getBirthDateElement().setValueAsString("1990-01-01");
        client.update().resource(read).execute();
        did.put("born", read(client, id).getBirthDateElement().getValueAsString());
        String patch = "[{\"op\":\"replace\",\"path\":\"/birthDate\",\"value\":\"1991-01-01\"}]";
        client.patch().withBody(patch).withId("Patient/" + id).execute();
        did.put("patched", read(client, id).getBirthDateElement().getValueAsString());
        Bundle found = client.search().forResource(Patient.class)
            .where(Patient.NAME.matches().value("Haddad")).returnBundle(Bundle.class).execute();
        did.put("found", found.getEntry().stream()
            .anyMatch(entry -> entry.getResource().getIdElement().getIdPart().equals(id)));
        Bundle batch = new Bundle();
        batch.setType(Bundle.BundleType.BATCH);
        batch.addEntry().getRequest().setMethod(Bundle.HTTPVerb.GET).setUrl("Patient/" + id);
        did.put("batch", client.transaction().withBundle(batch).execute()
            .getEntryFirstRep().getResponse().getStatus());
        client.delete().resourceById("Patient", id).execute();
        did.put("deleted", status(() -> read(client, id)));

        String less = token(base, key, arguments[2], "system/Observation.rs");
        did.put("another", status(() -> read(client(base, less), "1")));
        System.out.println(did);
    }

    private static Patient read(IGenericClient client, String id) {
        return client.read().resource(Patient.class).withId(id).execute();
    }

    private static IGenericClient client(String base, String token) {
        IGenericClient client = R4.newRestfulGenericClient(base);
        client.registerInterceptor(new BearerTokenAuthInterceptor(token));
        return client;
    }

    private static int status(Runnable asked) {
        try {
            asked.run();
            return 200;
        } catch (BaseServerResponseException refused) {
            return refused.getStatusCode();
        }
    }

    private static String token(String base, PrivateKey key, String kid, String scope) throws Exception {
        HttpClient http = HttpClient.newHttpClient();
        URI smart = URI.create(base + "/.well-known/smart-configuration");
        String document = http.send(HttpRequest.newBuilder(smart).build(), HttpResponse.BodyHandlers.ofString()).body();
        URI endpoint = URI.create(JSON.readTree(document).get("token_endpoint").asText());
        String form = form(Map.of(
            "grant_type", "client_credentials",
            "scope", scope,
            "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion", assertion(endpoint, key, kid)));
        HttpRequest request = HttpRequest.newBuilder(endpoint)
            .header("content-type", "application/x-www-form-urlencoded")
            .POST(HttpRequest.BodyPublishers.ofString(form)).build();
        JsonNode answer = JSON.readTree(http.send(request, HttpResponse.BodyHandlers.ofString()).body());
        if (!answer.has("access_token")) throw new IllegalStateException(answer.toString());
        return answer.get("access_token").asText();
    }

    private static String form(Map<String, String> fields) {
        return fields.entrySet().stream()
            .map(field -> field.getKey() + "=" + URLEncoder.encode(field.getValue(), StandardCharsets.UTF_8))
            .collect(Collectors.joining("&"));
    }

    private static String assertion(URI audience, PrivateKey key, String kid) throws Exception {
        long now = System.currentTimeMillis() / 1000;
        String header = part(Map.of("alg", "ES384", "kid", kid, "typ", "JWT"));
        String input = header + "." + part(Map.of(
            "iss", "backend", "sub", "backend", "aud", audience.toString(),
            "jti", UUID.randomUUID().toString(), "iat", now, "exp", now + 60));
        Signature signature = Signature.getInstance("SHA384withECDSAinP1363Format");
        signature.initSign(key);
        signature.update(input.getBytes(StandardCharsets.US_ASCII));
        return input + "." + encoded(signature.sign());
    }

    private static String part(Map<String, Object> members) throws Exception {
        return encoded(JSON.writeValueAsBytes(members));
    }

    private static String encoded(byte[] bytes) {
        return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
    }

    private static PrivateKey key(Path file) throws Exception {
        String text = Files.readString(file).replaceAll("-----[A-Z ]+-----|\\s", "");
        return KeyFactory.getInstance("EC").generatePrivate(new PKCS8EncodedKeySpec(Base64.getDecoder().decode(text)));
    }
}
