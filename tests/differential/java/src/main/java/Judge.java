import com.nimbusds.jose.JOSEObjectType;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.crypto.Ed25519Verifier;
import com.nimbusds.jose.jwk.JWKMatcher;
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.jwk.OctetKeyPair;
import com.nimbusds.jose.jwk.source.ImmutableJWKSet;
import com.nimbusds.jose.proc.DefaultJOSEObjectTypeVerifier;
import com.nimbusds.jose.proc.JWSVerificationKeySelector;
import com.nimbusds.jose.proc.SecurityContext;
import com.nimbusds.jose.util.JSONObjectUtils;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.SignedJWT;
import com.nimbusds.jwt.proc.DefaultJWTClaimsVerifier;
import com.nimbusds.jwt.proc.DefaultJWTProcessor;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Judges each case of a file: {@code Judge FILE} prints a list of verdicts. */
public final class Judge {
    private static final Set<JWSAlgorithm> ALGORITHMS = Set.of(
            JWSAlgorithm.RS256, JWSAlgorithm.RS384, JWSAlgorithm.RS512, JWSAlgorithm.PS256, JWSAlgorithm.PS384,
            JWSAlgorithm.PS512, JWSAlgorithm.ES256, JWSAlgorithm.ES384, JWSAlgorithm.ES512);

    public static void main(String[] arguments) throws Exception {
        var asked = JSONObjectUtils.parse(Files.readString(Path.of(arguments[0])));
        var issuer = (String) asked.get("issuer");
        var claims = new DefaultJWTClaimsVerifier<SecurityContext>(
                Set.of((String) asked.get("audience")), new JWTClaimsSet.Builder().issuer(issuer).build(),
                Set.of("exp", "sub"), Set.of());
        claims.setMaxClockSkew(60);
        var verdicts = new ArrayList<Map<String, Object>>();
        for (var one : (List<?>) asked.get("cases")) {
            var verdict = new LinkedHashMap<String, Object>();
            try {
                judge((Map<?, ?>) one, claims);
                verdict.put("accepted", true);
                verdict.put("reason", "accepted");
            } catch (Exception error) {
                verdict.put("accepted", false);
                verdict.put("reason", error.getClass().getSimpleName() + ": " + error.getMessage());
            }
            verdicts.add(verdict);
        }
        System.out.print(com.nimbusds.jose.shaded.gson.JsonParser.parseString(
                new com.nimbusds.jose.shaded.gson.Gson().toJson(verdicts)));
    }

    private static void judge(Map<?, ?> one, DefaultJWTClaimsVerifier<SecurityContext> claims) throws Exception {
        var token = (String) one.get("token");
        @SuppressWarnings("unchecked")
        var keys = JWKSet.parse((Map<String, Object>) one.get("jwks"));
        var types = new DefaultJOSEObjectTypeVerifier<SecurityContext>(
                new JOSEObjectType("at+jwt"), JOSEObjectType.JWT, null);
        var parsed = SignedJWT.parse(token);
        if (JWSAlgorithm.EdDSA.equals(parsed.getHeader().getAlgorithm())) {
            // Its key selector has no keys of Ed25519.
            types.verify(parsed.getHeader().getType(), null);
            var key = keys.getKeyByKeyId(parsed.getHeader().getKeyID());
            if (!(key instanceof OctetKeyPair pair)
                    || !JWKMatcher.forJWSHeader(parsed.getHeader()).matches(key)
                    || !parsed.verify(new Ed25519Verifier(pair.toPublicJWK()))) {
                throw new com.nimbusds.jose.proc.BadJWSException("no key, or another signature");
            }
            claims.verify(parsed.getJWTClaimsSet(), null);
            return;
        }
        var processor = new DefaultJWTProcessor<SecurityContext>();
        processor.setJWSTypeVerifier(types);
        processor.setJWSKeySelector(new JWSVerificationKeySelector<>(ALGORITHMS, new ImmutableJWKSet<>(keys)));
        processor.setJWTClaimsSetVerifier(claims);
        processor.process(token, null);
    }
}
