//! Tables of the manual that say what the layer does, held to it row by row.

use http::Request;
use tower_fhir_auth::test_util::TestCaller;
use tower_fhir_auth::{Enforcement, ScopePolicy};

const PAGE: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../src/manual/smart_scopes.md"));

/// The rows of the first table behind a line, as their cells.
fn rows(after: &str) -> Vec<Vec<&'static str>> {
    let (_, section) = PAGE.split_once(after).unwrap();
    let table = section.lines().skip_while(|line| !line.starts_with('|')).skip(2);
    let rows = table.take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

/// What stands between backticks.
fn code(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

#[test]
fn each_conditional_interaction_takes_the_letters_of_its_row_and_no_fewer() {
    let rows = rows("# Conditional interactions");
    assert_eq!(rows.len(), 6);
    for row in rows {
        let ([request, headers @ ..], letters) = (&code(row[1])[..], code(row[2])) else {
            panic!("{row:?}");
        };
        let (method, path) = request.split_once(' ').unwrap();
        for header in headers.iter().map(Some).chain(headers.is_empty().then_some(None)) {
            let is_granted = |letters: &[&str]| {
                let caller = TestCaller::new()
                    .base_url("https://fhir.example.org")
                    .claim("scope", format!("user/Observation.{}", letters.concat()))
                    .authorizer(ScopePolicy::new());
                let mut request = Request::builder().method(method).uri(path);
                if let Some(header) = header {
                    let value = if *header == "If-None-Exist" { "identifier=x" } else { "W/\"1\"" };
                    request = request.header(*header, value);
                }
                caller.authorize(request.body(()).unwrap()).is_ok()
            };
            assert!(is_granted(&letters), "{row:?} {header:?}");
            for left_out in &letters {
                let fewer: Vec<&str> =
                    letters.iter().filter(|letter| *letter != left_out).copied().collect();
                assert!(!is_granted(&fewer), "{row:?} without {left_out}");
            }
        }
    }
}

#[test]
fn each_flag_of_enforcement_has_its_row() {
    let documented: Vec<&str> =
        rows("Each flag says that handlers").iter().map(|row| code(row[0])[0]).collect();
    let flags: Vec<&str> = Enforcement::ALL.iter_names().map(|(name, _)| name).collect();
    assert_eq!(documented, flags);
}
