// An oracle for the Patient compartment: what HL7's own FHIRPath engine finds with the official
// search parameters in the official R4 examples. It shares no code with the crate or the table.
//
// npm ci --prefix tests/official_examples && node tests/official_examples/membership.mjs
//
// Writes one line of JSON for each file that is a resource, and for each resource in the entries of
// a Bundle, at any depth:
//
// {"type": "Observation", "id": "f001", "source": "Bundle-a.json#3", "members": {"subject": ["1"]},
//  "others": {"patient": ["1"]}}
//
// `members` holds the parameters that make up the compartment, `others` the rest of the reference
// parameters that can name a Patient, each with the ids of the patients of this server it finds.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import fhirpath from "fhirpath";
import r4 from "fhirpath/fhir-context/r4";

const folder = join(import.meta.dirname, "node_modules/hl7.fhir.r4.examples");
const core = "http://hl7.org/fhir/SearchParameter/";

/** A patient of this server: a relative reference, perhaps to one of its versions. */
const ownPatient = /^Patient\/([A-Za-z0-9.-]{1,64})(?:\/_history\/[A-Za-z0-9.-]{1,64})?$/;

/** The type that any reference with a literal names: relative, absolute, with or without a version. */
const typeInReference = /(?:^|\/)([A-Z][A-Za-z]+)\/[A-Za-z0-9.-]{1,64}(?:\/_history\/[A-Za-z0-9.-]{1,64})?$/;

// The expressions ask of `resolve()` only whether the target is a Patient. The engine would fetch
// it from a server; here the reference itself says of what type its target is, by its text or by
// `Reference.type`, and a resource of that type without content stands for it. So the official
// expressions are evaluated as they stand.
const resolve = {
  fn(references) {
    return references.flatMap((node) => {
      const { reference, type } = fhirpath.util.valData(node) ?? {};
      const resourceType = typeInReference.exec(reference)?.[1] ?? type;
      return resourceType ? [node.constructor.makeResNode(this, { resourceType })] : [];
    });
  },
  arity: { 0: [] },
  internalStructures: true,
};
const options = { userInvocationTable: { resolve } };

function read(file) {
  return JSON.parse(readFileSync(join(folder, file), "utf8"));
}

/** For each type, its parameters: `[name, inCompartment, evaluate]`. */
function parameters(files) {
  const compartment = new Map(
    read("CompartmentDefinition-patient.json").resource.map(({ code, param }) => [code, param ?? []]),
  );
  const byType = new Map();
  const asked = new Set();
  for (const file of files.filter((file) => file.startsWith("SearchParameter-"))) {
    const { url, type, code, base = [], target = [], expression } = read(file);
    if (!url.startsWith(core)) continue;
    for (const of of base) {
      const inCompartment = compartment.get(of)?.includes(code) ?? false;
      if (!inCompartment && !(type === "reference" && target.includes("Patient"))) continue;
      if (asked.has(`${of}.${code}`)) throw new Error(`${of}.${code} is defined twice`);
      asked.add(`${of}.${code}`);
      const evaluate = fhirpath.compile(expression, r4, options);
      byType.set(of, [...(byType.get(of) ?? []), [code, inCompartment, evaluate]]);
    }
  }
  for (const [of, names] of compartment) {
    const missing = names.filter((name) => !asked.has(`${of}.${name}`));
    if (missing.length > 0) throw new Error(`no expression for ${of}: ${missing}`);
  }
  return byType;
}

/** A resource and those in the entries of a Bundle, each with where it stands. */
function* resources(resource, source) {
  yield [resource, source];
  if (resource.resourceType !== "Bundle") return;
  for (const [number, entry] of (resource.entry ?? []).entries()) {
    const separator = source.includes("#") ? "/" : "#";
    if (entry.resource) yield* resources(entry.resource, `${source}${separator}${number}`);
  }
}

/** The ids of this server's patients among what a parameter finds, each once, in order. */
function patients(found) {
  const ids = found.map((value) => ownPatient.exec(value?.reference)?.[1]);
  return [...new Set(ids.filter((id) => id !== undefined))].sort();
}

function judge(resource, source, ofType) {
  const line = {
    type: resource.resourceType,
    id: resource.id ?? null,
    source,
    members: {},
    others: {},
  };
  for (const [name, inCompartment, evaluate] of ofType) {
    line[inCompartment ? "members" : "others"][name] = patients(evaluate(resource));
  }
  return line;
}

const files = readdirSync(folder).filter((file) => file.endsWith(".json")).sort();
const byType = parameters(files);
let evaluated = 0;
for (const file of files) {
  const document = read(file);
  // package.json is no resource.
  if (typeof document.resourceType !== "string") continue;
  for (const [resource, source] of resources(document, file)) {
    const line = judge(resource, source, byType.get(resource.resourceType) ?? []);
    process.stdout.write(`${JSON.stringify(line)}\n`);
    evaluated += 1;
  }
}
console.error(`${evaluated} resources, ${[...byType.values()].flat().length} parameters`);
