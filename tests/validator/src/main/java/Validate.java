import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.DefaultProfileValidationSupport;
import ca.uhn.fhir.validation.FhirValidator;
import java.nio.file.Files;
import java.nio.file.Path;
import org.hl7.fhir.common.hapi.validation.support.CommonCodeSystemsTerminologyService;
import org.hl7.fhir.common.hapi.validation.support.InMemoryTerminologyServerValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.ValidationSupportChain;
import org.hl7.fhir.common.hapi.validation.validator.FhirInstanceValidator;

/** Validates each file of a folder, JSON or XML, and prints a line for each thing that it has to say. */
public class Validate {
    public static void main(String[] arguments) throws Exception {
        var fhir = FhirContext.forR4();
        var validator = fhir.newValidator();
        var support = new ValidationSupportChain(
            new DefaultProfileValidationSupport(fhir),
            new InMemoryTerminologyServerValidationSupport(fhir),
            new CommonCodeSystemsTerminologyService(fhir));
        validator.registerValidatorModule(new FhirInstanceValidator(support));
        var count = 0;
        try (var files = Files.list(Path.of(arguments[0]))) {
            for (var file : files.sorted().toList()) {
                validate(validator, file);
                count++;
            }
        }
        System.out.println("validated\t" + count);
    }

    private static void validate(FhirValidator validator, Path file) throws Exception {
        for (var said : validator.validateWithResult(Files.readString(file)).getMessages()) {
            var text = said.getMessage().replaceAll("\\s+", " ");
            System.out.println(String.join("\t", file.getFileName().toString(), said.getSeverity().getCode(),
                String.valueOf(said.getMessageId()), String.valueOf(said.getLocationString()), text));
        }
    }
}
