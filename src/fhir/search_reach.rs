//! The reach of a search's parameters beyond the type that is searched.

use form_urlencoded::parse;

use super::resource_type::is_spelled_as_a_type;

/// One effect of a parameter on types or patients. A parameter that filters the searched type by
/// its own elements has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// `_type`: results of this type.
    Result(String),
    /// `_include`, `_revinclude`: resources of this type come along.
    Included(String),
    /// `_has`, a typed chain: resources of this type are searched, and the result reveals them.
    Searched(String),
    /// An include or a chain to a type that is not given: any type that a reference may point to.
    UntypedReference,
    /// `patient=`, `subject=`: the patient whose resources are searched.
    Patient(String),
    /// A parameter that may look anywhere, or a spelling that another parser might read as one.
    Anywhere,
    /// `_cascade`: whatever refers to a resource is deleted with it.
    Cascade,
}

/// Parameters that reach places which they do not name: filters, lists, groups, contained resources, and what
/// refers to a resource that is deleted.
const ANYWHERE: [&str; 7] =
    ["_cascade", "_contained", "_containedtype", "_filter", "_in", "_list", "_query"];

/// Returns what a query reaches. It is decoded as servers decode it; whatever two servers might
/// read differently reaches anywhere: nothing is guessed.
pub(crate) fn reached(query: &str) -> Vec<Reach> {
    // Some servers separate parameters at semicolons, too.
    let mut reached: Vec<Reach> = Vec::new();
    if query.contains(';') {
        reached.push(Reach::Anywhere);
    }
    for (name, value) in parse(query.as_bytes()) {
        by_parameter(&name, &value, &mut reached);
    }
    reached
}

fn by_parameter(name: &str, value: &str, reached: &mut Vec<Reach>) {
    // Names with other characters are read differently by some servers.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-:.".contains(&byte);
    if !name.bytes().all(plain) {
        return reached.push(Reach::Anywhere);
    }
    let (base, modifier) = name.split_once(':').unwrap_or((name, ""));
    match (base, modifier) {
        ("_type", "") => {
            reached.extend(value.split(',').map(|name| type_or_anywhere(name, Reach::Result)))
        }
        ("_include", "" | "iterate" | "recurse") => include(value, reached),
        ("_revinclude", "" | "iterate" | "recurse") => reverse_include(value, reached),
        ("_has", rest) => push_has(rest, reached),
        ("_typeFilter", "") => type_filter(value, reached),
        // The order of a chained sort reveals values of another resource.
        ("_sort", _) if value.contains('.') => reached.push(Reach::Anywhere),
        ("patient" | "subject", "" | "Patient") => {
            reached.extend(value.split(',').map(|id| Reach::Patient(id.to_owned())));
        }
        _ if name.contains('.') => chain(name, reached),
        _ if base.eq_ignore_ascii_case("_cascade") => reached.push(Reach::Cascade),
        _ if is_odd(base) => reached.push(Reach::Anywhere),
        _ => {}
    }
}

/// Reports whether a name looks anywhere, or is another spelling of one handled by `reached`.
pub(crate) fn is_odd(base: &str) -> bool {
    let lower = base.to_ascii_lowercase();
    let judged = ["_has", "_include", "_revinclude", "_type", "_typefilter"];
    judged.contains(&lower.as_str()) || ANYWHERE.contains(&lower.as_str())
}

fn type_or_anywhere(name: &str, reach: fn(String) -> Reach) -> Reach {
    if is_spelled_as_a_type(name) { reach(name.to_owned()) } else { Reach::Anywhere }
}

/// Returns what a filter of one type reaches. A filter has no filters of its own, which would be
/// parsed again for each level.
fn reached_by_filter(query: &str) -> Vec<Reach> {
    let nests =
        |(name, _): (std::borrow::Cow<'_, str>, _)| name.eq_ignore_ascii_case("_typeFilter");
    if parse(query.as_bytes()).any(nests) { vec![Reach::Anywhere] } else { reached(query) }
}

/// Reads `Type?query`, a filter of one type of a bulk export.
fn type_filter(value: &str, reached: &mut Vec<Reach>) {
    match value.split_once('?') {
        Some((name, query)) if is_spelled_as_a_type(name) && !query.contains('?') => {
            reached.extend(reached_by_filter(query));
        }
        _ => reached.push(Reach::Anywhere),
    }
}

/// Reads `Source:parameter`, `Source:parameter:Target`, `*`.
fn include(value: &str, reached: &mut Vec<Reach>) {
    let mut parts = value.split(':');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some("*"), None, None, None) => reached.push(Reach::UntypedReference),
        (Some(source), Some(_), None, None) => {
            reached.extend([type_or_anywhere(source, Reach::Included), Reach::UntypedReference]);
        }
        (Some(source), Some(_), Some(target), None) => {
            reached.extend([
                type_or_anywhere(source, Reach::Included),
                type_or_anywhere(target, Reach::Included),
            ]);
        }
        _ => reached.push(Reach::Anywhere),
    }
}

/// Reads `_revinclude`, spelled like `_include`: the resources that come along are of the source's
/// type.
fn reverse_include(value: &str, reached: &mut Vec<Reach>) {
    let mut parts = value.split(':');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(source), Some(_), target, None) => {
            reached.push(type_or_anywhere(source, Reach::Included));
            reached.extend(target.map(|target| type_or_anywhere(target, Reach::Included)));
        }
        _ => reached.push(Reach::Anywhere),
    }
}

/// Reads `Type:reference:parameter`, where the parameter may be a further `_has:` or a chain.
fn push_has(rest: &str, reached: &mut Vec<Reach>) {
    let mut rest = rest;
    // A loop, not recursion: the address determines how deep it goes.
    loop {
        let mut parts = rest.splitn(3, ':');
        let (Some(source), Some(_), Some(parameter)) = (parts.next(), parts.next(), parts.next())
        else {
            return reached.push(Reach::Anywhere);
        };
        reached.push(type_or_anywhere(source, Reach::Searched));
        match parameter.strip_prefix("_has:") {
            Some(further) => rest = further,
            None => return chain(parameter, reached),
        }
    }
}

/// Reads `reference.parameter`, `reference:Type.parameter`, any number of links, or none.
fn chain(name: &str, reached: &mut Vec<Reach>) {
    let links: Vec<&str> = name.split('.').collect();
    let Some((parameter, links)) = links.split_last() else {
        return;
    };
    for link in links {
        match link.split_once(':') {
            Some((_, target)) => reached.push(type_or_anywhere(target, Reach::Searched)),
            None => reached.push(Reach::UntypedReference),
        }
    }
    match parameter.strip_prefix("_has:") {
        Some(further) => push_has(further, reached),
        None if is_odd(parameter.split(':').next().unwrap_or_default()) => {
            reached.push(Reach::Anywhere);
        }
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Reach as R;

    fn included(name: &str) -> R {
        R::Included(name.to_owned())
    }

    fn searched(name: &str) -> R {
        R::Searched(name.to_owned())
    }

    #[test]
    fn each_parameter_reaches_what_it_names() {
        for (query, expected) in [
            ("", vec![]),
            ("name=x&code:in=y&_count=5&_sort=-date&_id=1", vec![]),
            ("_type=A1,Patient", vec![R::Anywhere, R::Result("Patient".to_owned())]),
            (
                "_type=Patient%2CDevice",
                vec![R::Result("Patient".into()), R::Result("Device".into())],
            ),
            ("_include=Observation:subject", vec![included("Observation"), R::UntypedReference]),
            (
                "_include=Observation%3Asubject%3APatient",
                vec![included("Observation"), included("Patient")],
            ),
            (
                "_include:iterate=Patient:link:Patient",
                vec![included("Patient"), included("Patient")],
            ),
            ("_include=*", vec![R::UntypedReference]),
            ("_include=Observation:*", vec![included("Observation"), R::UntypedReference]),
            ("_revinclude=Observation:subject", vec![included("Observation")]),
            (
                "_revinclude=Observation:subject:Patient",
                vec![included("Observation"), included("Patient")],
            ),
            ("_revinclude=*", vec![R::Anywhere]),
            ("_has:Observation:patient:code=x", vec![searched("Observation")]),
            (
                "_has:Observation:patient:_has:Device:patient:x=y",
                vec![searched("Observation"), searched("Device")],
            ),
            (
                "_has:Observation:patient:encounter.status=y",
                vec![searched("Observation"), R::UntypedReference],
            ),
            ("_has:Observation=x", vec![R::Anywhere]),
            ("subject.name=x", vec![R::UntypedReference]),
            ("subject:Patient.name=x", vec![searched("Patient")]),
            ("subject:Patient.organization.name=x", vec![searched("Patient"), R::UntypedReference]),
            (
                "subject:Patient._has:Device:patient:x=y",
                vec![searched("Patient"), searched("Device")],
            ),
            (
                "patient=1,Patient/2",
                vec![R::Patient("1".to_owned()), R::Patient("Patient/2".to_owned())],
            ),
            ("subject:Patient=1", vec![R::Patient("1".to_owned())]),
            ("subject:Group=1&patient:identifier=x", vec![]),
            (
                "%5Finclude=Observation:subject:Patient",
                vec![included("Observation"), included("Patient")],
            ),
        ] {
            assert_eq!(reached(query), expected, "{query}");
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_reaches_anywhere() {
        for query in [
            "a=1;_include=x",
            "_INCLUDE=Observation:subject",
            "_include:other=Observation:subject",
            "_type[]=Device",
            "_type:not=Device",
            "_type=",
            "_type=patient",
            "_type=PATIENT",
            "_include=",
            "_include=Observation",
            "_filter=x",
            "_has:Observation:patient:_filter=x",
            "_has:Observation:patient:_LIST=1",
            "_has:Observation:patient:_HAS:Device:patient:x=y",
            "_has:Observation:patient:_has:Device:patient:_in=Group/1",
            "subject:Patient._list:x=1",
            "_typeFilter=x",
            "_typeFilter=Observation%3Fa%3Db,Condition%3Fa%3Db",
            "_typeFilter=observation%3Fa%3Db",
            // A filter within a filter.
            "_typeFilter=Observation%3F_typeFilter%3DCondition%253Fa%253Db",
            "_LIST=1",
            "_in=Group/1",
            "_sort=organization.name",
            "subject._list=1",
            "subject:patient.name=1",
            "a%20b=1",
        ] {
            assert!(reached(query).contains(&R::Anywhere), "{query}: {:?}", reached(query));
        }
    }
    #[test]
    fn a_cascade_is_one_in_every_spelling() {
        for query in ["_cascade=delete", "_Cascade=delete", "%5Fcascade=x", "_cascade:x=y"] {
            assert_eq!(reached(query), [R::Cascade], "{query}");
        }
    }
}
