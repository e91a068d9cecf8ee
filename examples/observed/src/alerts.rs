//! Alert rules for Prometheus, and tests of them for `promtool`.

use std::fmt::Write as _;

use crate::query::name;

type Error = Box<dyn std::error::Error>;

struct Alert {
    name: &'static str,
    expression: String,
    lasts: &'static str,
    severity: &'static str,
    summary: &'static str,
    description: &'static str,
}

const HEAD: &str = "# Written by `cargo run --example observed -- write`.\n";

fn alerts() -> Result<[Alert; 6], String> {
    let (decisions, refusals) =
        (name("fhir_auth_decisions_total")?, name("fhir_auth_refusals_total")?);
    let duration = name("fhir_auth_decision_duration_seconds")?;
    let (loads, loaded) =
        (name("fhir_auth_key_loads_total")?, name("fhir_auth_keys_loaded_timestamp_seconds")?);
    let left_out = name("fhir_auth_keys_left_out")?;
    let outcome = |outcome| format!("increase({loads}{{outcome=\"{outcome}\"}}[15m])");
    let (failed, ok) = (outcome("failed"), outcome("ok"));
    let rate = |verdict| format!("sum by (layer) (rate({decisions}{verdict}[10m]))");
    let (refused, all) = (rate("{verdict=\"refused\"}"), rate(""));
    Ok([
        Alert {
            name: "FhirAuthUnavailable",
            expression: format!(
                "sum by (layer, kind) (rate({refusals}{{kind=~\".*-unavailable\"}}[5m])) > 0"
            ),
            lasts: "5m",
            severity: "critical",
            summary: "Requests get 503: {{ $labels.kind }}",
            description: "Keys or answers of a provider are not available. The readiness answer \
                          names the issuer and the fault.",
        },
        Alert {
            name: "FhirAuthKeyLoadsFail",
            expression: format!("sum by (issuer) ({failed}) > 0 unless sum by (issuer) ({ok}) > 0"),
            lasts: "10m",
            severity: "warning",
            summary: "Keys of {{ $labels.issuer }} cannot be loaded",
            description: "The last good keys serve, by default for 24 hours. The log has the fault.",
        },
        Alert {
            name: "FhirAuthKeysOld",
            // Three quarters of the default of `max_stale`.
            expression: format!("time() - max by (issuer) ({loaded}) > 64800"),
            lasts: "5m",
            severity: "critical",
            summary: "Keys of {{ $labels.issuer }} will soon be too old to serve",
            description: "Nobody has loaded or confirmed them for 18 hours.",
        },
        Alert {
            name: "FhirAuthKeysLeftOut",
            expression: format!("max by (issuer) ({left_out}) > 0"),
            lasts: "1h",
            severity: "info",
            summary: "Some keys of {{ $labels.issuer }} cannot be used",
            description: "Tokens signed with them are refused. Health says why each is left out.",
        },
        Alert {
            name: "FhirAuthManyRefusals",
            expression: format!("{refused} / {all} > 0.5 and {all} > 1"),
            lasts: "15m",
            severity: "warning",
            summary: "More than half of the requests to {{ $labels.layer }} are refused",
            description: "A client with old tokens, a change of the provider, or an attack.",
        },
        Alert {
            name: "FhirAuthSlowDecisions",
            expression: format!(
                "histogram_quantile(0.99, sum by (le, layer) (rate({duration}_bucket[10m]))) > 0.01"
            ),
            lasts: "15m",
            severity: "warning",
            summary: "Decisions of {{ $labels.layer }} take over 10 ms",
            description: "A decision takes well under a millisecond: the processor is overloaded.",
        },
    ])
}

/// Returns the rules as YAML, in which an expression is a plain scalar: it has no `: ` and no ` #`.
pub(crate) fn rules() -> Result<String, Error> {
    let mut text = format!("{HEAD}groups:\n  - name: tower-fhir-auth\n    rules:\n");
    for alert in alerts()? {
        let Alert { name, expression, lasts, severity, summary, description } = alert;
        writeln!(
            text,
            "      - alert: {name}\n        expr: {expression}\n        for: {lasts}\n        \
             labels:\n          severity: {severity}\n        annotations:\n          \
             summary: \"{summary}\"\n          description: \"{description}\""
        )?;
    }
    Ok(text)
}

/// A case: an alert, what Prometheus has seen each minute, when it is asked, and the labels it then fires with.
type Case<'c> = (&'c str, &'c [(String, &'c str)], &'c str, &'c [(&'c str, &'c str)]);

/// Returns the tests as YAML: each alert fires when it should, and not when all is well.
pub(crate) fn tests() -> Result<String, Error> {
    let mut text = format!("{HEAD}rule_files: [alerts.yaml]\nevaluation_interval: 1m\ntests:\n");
    let loads = name("fhir_auth_key_loads_total")?;
    let layer = "layer=\"https://fhir.example.org/r4\"";
    let issuer = "issuer=\"https://idp.example.org\"";
    let (refusals, decisions) =
        (name("fhir_auth_refusals_total")?, name("fhir_auth_decisions_total")?);
    let unavailable = format!("{refusals}{{kind=\"keys-unavailable\", check=\"key\", {layer}}}");
    let series = |verdict: &str| format!("{decisions}{{{layer}, verdict=\"{verdict}\"}}");
    let load = |outcome: &str| format!("{loads}{{{issuer}, outcome=\"{outcome}\"}}");
    let loaded = format!("{}{{{issuer}}}", name("fhir_auth_keys_loaded_timestamp_seconds")?);
    let left_out = format!("{}{{{issuer}}}", name("fhir_auth_keys_left_out")?);
    let of_layer = ("layer", "https://fhir.example.org/r4");
    let of_issuer = ("issuer", "https://idp.example.org");
    let duration = name("fhir_auth_decision_duration_seconds")?;
    let bucket = |bound: &str| format!("{duration}_bucket{{{layer}, le=\"{bound}\"}}");
    let cases: &[Case<'_>] = &[
        (
            "FhirAuthUnavailable",
            &[(unavailable, "0+10x20")],
            "15m",
            &[("severity", "critical"), of_layer, ("kind", "keys-unavailable")],
        ),
        (
            "FhirAuthKeyLoadsFail",
            &[(load("failed"), "0+1x40"), (load("ok"), "1+0x40")],
            "30m",
            &[("severity", "warning"), of_issuer],
        ),
        ("FhirAuthKeyLoadsFail", &[(load("failed"), "0+1x40"), (load("ok"), "0+1x40")], "30m", &[]),
        (
            "FhirAuthKeysOld",
            &[(loaded.clone(), "0+0x1200")],
            "1110m",
            &[("severity", "critical"), of_issuer],
        ),
        ("FhirAuthKeysOld", &[(loaded, "0+60x1200")], "1110m", &[]),
        (
            "FhirAuthKeysLeftOut",
            &[(left_out, "2+0x120")],
            "90m",
            &[("severity", "info"), of_issuer],
        ),
        (
            "FhirAuthManyRefusals",
            &[(series("refused"), "0+120x60"), (series("granted"), "0+60x60")],
            "45m",
            &[("severity", "warning"), of_layer],
        ),
        (
            "FhirAuthManyRefusals",
            &[(series("refused"), "0+60x60"), (series("granted"), "0+120x60")],
            "45m",
            &[],
        ),
        (
            "FhirAuthSlowDecisions",
            &[(bucket("0.01"), "0+10x60"), (bucket("0.1"), "0+90x60"), (bucket("+Inf"), "0+90x60")],
            "45m",
            &[("severity", "warning"), of_layer],
        ),
        (
            "FhirAuthSlowDecisions",
            &[(bucket("0.0001"), "0+90x60"), (bucket("+Inf"), "0+90x60")],
            "45m",
            &[],
        ),
    ];
    for case in cases {
        test(&mut text, case)?;
    }
    Ok(text)
}

fn test(text: &mut String, (alert, series, at, fires): &Case<'_>) -> Result<(), Error> {
    writeln!(text, "  - interval: 1m\n    input_series:")?;
    for (series, values) in *series {
        writeln!(text, "      - series: '{series}'\n        values: '{values}'")?;
    }
    writeln!(
        text,
        "    alert_rule_test:\n      - eval_time: {at}\n        alertname: {alert}\n        \
         exp_alerts:{}",
        if fires.is_empty() { " []" } else { "" }
    )?;
    let Some(found) = alerts()?.into_iter().find(|found| found.name == *alert) else {
        return Err(format!("there is no alert `{alert}`").into());
    };
    if !fires.is_empty() {
        writeln!(text, "          - exp_labels:")?;
        let mut summary = found.summary.to_owned();
        for (label, value) in *fires {
            summary = summary.replace(&format!("{{{{ $labels.{label} }}}}"), value);
            writeln!(text, "              {label}: {value}")?;
        }
        writeln!(
            text,
            "            exp_annotations:\n              summary: \"{summary}\"\n              \
             description: \"{}\"",
            found.description
        )?;
    }
    Ok(())
}
