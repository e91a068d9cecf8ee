import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.parser.LenientErrorHandler;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;
import org.hl7.fhir.instance.model.api.IBaseResource;
import org.hl7.fhir.r4.model.Bundle;
import org.hl7.fhir.r4.model.Resource;

/**
 * Prints for each resource of a folder, and of the entries of its Bundles, which patients HAPI says it belongs
 * to: {@code {"source": "Bundle-a.json#3", "owners": ["1"]}}.
 */
public final class Members {
    private static final FhirContext R4 = FhirContext.forR4Cached();

    public static void main(String[] arguments) throws Exception {
        R4.setParserErrorHandler(new LenientErrorHandler(false));
        try (var files = Files.list(Path.of(arguments[0]))) {
            for (var file : files.sorted().toList()) {
                var text = Files.readString(file, StandardCharsets.UTF_8);
                if (file.toString().endsWith(".json") && text.contains("\"resourceType\"")) {
                    print(file.getFileName().toString(), text);
                }
            }
        }
    }

    private static void print(String source, String text) {
        IBaseResource resource;
        try {
            resource = R4.newJsonParser().parseResource(text);
        } catch (RuntimeException error) {
            System.out.println("{\"source\": \"" + source + "\", \"unread\": true}");
            return;
        }
        print(source, (Resource) resource);
    }

    private static void print(String source, Resource resource) {
        Set<String> owners = new TreeSet<>();
        for (var owner : R4.newTerser().getCompartmentOwnersForResource("Patient", resource, Set.of())) {
            // It lists whatever a parameter of the compartment names; only patients of this server own anything.
            if (!owner.isAbsolute() && "Patient".equals(owner.getResourceType())) {
                owners.add('"' + owner.getIdPart() + '"');
            }
        }
        System.out.println("{\"source\": \"" + source + "\", \"owners\": " + owners + "}");
        if (resource instanceof Bundle bundle) {
            var at = 0;
            for (var entry : bundle.getEntry()) {
                if (entry.getResource() != null) {
                    print(source + (source.contains("#") ? "/" : "#") + at, entry.getResource());
                }
                at++;
            }
        }
    }
}
