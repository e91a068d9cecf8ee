//! Reads, searches, histories, and addresses that are none.

use fastrand::Rng;

use crate::callers::Caller;
use crate::data::{Data, PATIENTS, Version};
use crate::parameters::{INCLUDES, PEEPING, parameter, searched_type};
use crate::requests::Request;

/// Makes reads and searches, one at a time.
pub(crate) struct Reads<'a> {
    pub(crate) rng: Rng,
    pub(crate) data: &'a Data,
    pub(crate) caller: &'a Caller,
}

impl Reads<'_> {
    pub(crate) fn request(&mut self) -> Request {
        match self.rng.u8(..100) {
            0..16 => self.read(),
            16..22 => self.version(),
            22..58 => self.search(),
            58..66 => self.search_by_post(),
            66..74 => self.compartment(),
            74..77 => self.system(),
            77..83 => self.history(),
            83..88 => self.everything(),
            88..93 => self.peeping(),
            _ => self.forged(),
        }
    }

    fn made(&mut self, kind: &'static str, path: String) -> Request {
        let method = if self.rng.u8(..15) == 0 { "HEAD" } else { "GET" };
        let mut headers = Vec::new();
        let more = [
            ("prefer", "respond-async"),
            ("prefer", "handling=lenient"),
            ("x-http-method-override", "DELETE"),
            ("range", "bytes=0-10"),
            ("if-none-match", "W/\"99\""),
            ("x-original-url", "/fhir/Patient/p1"),
            ("accept-encoding", "gzip"),
            ("if-modified-since", "Sat, 01 Jan 2033 00:00:00 GMT"),
            ("accept", "application/json"),
            ("x-provenance", "{}"),
        ];
        if self.rng.u8(..6) == 0 {
            let (name, value) = more[self.rng.usize(..more.len())];
            headers.push((name, value.to_owned()));
        }
        Request { kind, caller: 0, method, path, headers, body: None }
    }

    /// A type: one that the caller may search more often than not.
    fn searched_type(&mut self) -> &'static str {
        match self.caller.types() {
            [] => searched_type(&mut self.rng),
            _ if self.rng.u8(..5) == 0 => searched_type(&mut self.rng),
            types => types[self.rng.usize(..types.len())],
        }
    }

    /// A resource: the caller's own more often than not.
    fn one(&mut self) -> &Version {
        let own = self.caller.patient.filter(|_| self.rng.u8(..3) > 0);
        let granted = self.rng.u8(..3) > 0;
        let wanted: Vec<&Version> = self
            .data
            .versions
            .iter()
            .filter(|one| own.is_none_or(|own| one.members.contains(&own)) || one.is_shared)
            .filter(|one| !granted || self.caller.may_see(one, "rs"))
            .collect();
        wanted[self.rng.usize(..wanted.len())]
    }

    fn name(&mut self) -> (String, String) {
        let one = self.one();
        (one.resource_type.clone(), one.id.clone())
    }

    fn patient(&mut self) -> usize {
        self.caller
            .patient
            .filter(|_| self.rng.u8(..5) > 0)
            .unwrap_or_else(|| self.rng.usize(..PATIENTS))
    }

    fn read(&mut self) -> Request {
        let (of, id) = self.name();
        let id = match self.rng.u8(..12) {
            0 => "x1".to_owned(),
            1 => format!("{id}x"),
            _ => id,
        };
        let query =
            ["", "", "", "", "?_format=json", "?_summary=true", "?_elements=id", "?_pretty=true"];
        let query = query[self.rng.usize(..query.len())];
        self.made("read", format!("/{of}/{id}{query}"))
    }

    fn version(&mut self) -> Request {
        let one = self.one();
        let (of, id, number) = (one.resource_type.clone(), one.id.clone(), one.number);
        let number = if self.rng.u8(..5) == 0 { self.rng.usize(1..4) } else { number };
        self.made("version", format!("/{of}/{id}/_history/{number}"))
    }

    /// The parameters of a search, encoded.
    fn parameters(&mut self, of: &str) -> Vec<String> {
        let mut pairs = Vec::new();
        let how_many = [0, 0, 1, 1, 1, 1, 2, 2, 3][self.rng.usize(..9)];
        for _ in 0..how_many {
            pairs.extend(
                parameter(&mut self.rng, self.data, of, self.caller.patient)
                    .map(|(name, value)| pair(&name, &value)),
            );
        }
        if self.rng.u8(..3) == 0 {
            pairs.push(format!("_count={}", [1, 2, 3, 5, 10, 50, 500][self.rng.usize(..7)]));
        }
        if self.rng.u8(..4) == 0 {
            pairs.push(INCLUDES[self.rng.usize(..INCLUDES.len())].to_owned());
        }
        if self.rng.u8(..12) == 0 {
            let of_results = [
                "_summary=true",
                "_summary=text",
                "_summary=count",
                "_summary=false",
                "_elements=id,status",
                "_total=accurate",
                "_sort=_lastUpdated",
                "_sort=-_id",
                "_pretty=true",
                "_format=json",
                "_count=0",
                "_summary=data",
                "_format=application/fhir%2Bjson",
            ];
            pairs.push(of_results[self.rng.usize(..of_results.len())].to_owned());
        }
        self.rng.shuffle(&mut pairs);
        pairs
    }

    fn search(&mut self) -> Request {
        let of = self.searched_type();
        let path = joined(&format!("/{of}"), &self.parameters(of));
        self.made("search", path)
    }

    fn search_by_post(&mut self) -> Request {
        let of = self.searched_type();
        let (of_url, of_body) = (self.parameters(of), self.parameters(of));
        let of_url = if self.rng.bool() { Vec::new() } else { of_url };
        let mut request = self.made("search by POST", joined(&format!("/{of}/_search"), &of_url));
        request.method = "POST";
        request.headers.push(("content-type", "application/x-www-form-urlencoded".to_owned()));
        request.body = Some(of_body.join("&"));
        request
    }

    fn compartment(&mut self) -> Request {
        let of = self.searched_type();
        let parameters = self.parameters(of);
        let place = match self.rng.u8(..8) {
            0 => {
                let encounters: Vec<String> = self
                    .data
                    .current()
                    .filter(|one| one.resource_type == "Encounter")
                    .map(|one| one.id.clone())
                    .collect();
                format!("/Encounter/{}/{of}", encounters[self.rng.usize(..encounters.len())])
            }
            1 => format!("/Patient/p{}/*?_type={of},Patient", self.patient()),
            2 => format!("/Patient/p{}/*", self.patient()),
            _ => format!("/Patient/p{}/{of}", self.patient()),
        };
        let path = if place.contains('*') { place } else { joined(&place, &parameters) };
        self.made("compartment", path)
    }

    fn system(&mut self) -> Request {
        let types = [self.searched_type(), self.searched_type()];
        let query = match self.rng.u8(..4) {
            0 => "?_id=p1,p2,r20,r40".to_owned(),
            1 => format!("?_type={}&_lastUpdated=ge2020&_count=20", types.join(",")),
            2 => format!("?_type={}&_count=50", types[0]),
            _ => format!("?_type={}", types.join(",")),
        };
        self.made("system search", query)
    }

    fn history(&mut self) -> Request {
        let (of, id) = self.name();
        let query = ["", "", "?_count=3", "?_count=50", "?_since=2020-01-01T00:00:00Z"];
        let query = query[self.rng.usize(..query.len())];
        let path = match self.rng.u8(..8) {
            0 => format!("/_history{query}"),
            1 | 2 => format!("/{of}/_history{query}"),
            _ => format!("/{of}/{id}/_history{query}"),
        };
        self.made("history", path)
    }

    fn everything(&mut self) -> Request {
        let query =
            ["", "", "", "?_type=Observation,Patient", "?_count=5", "?_since=2020-01-01T00:00:00Z"];
        let query = query[self.rng.usize(..query.len())];
        let operation = if self.rng.u8(..10) == 0 { "%24everything" } else { "$everything" };
        let patient = self.patient();
        self.made("$everything", format!("/Patient/p{patient}/{operation}{query}"))
    }

    /// A search that looks through resources into others.
    fn peeping(&mut self) -> Request {
        let of = self.searched_type();
        let mut pairs = self.parameters(of);
        let peeping = PEEPING[self.rng.usize(..PEEPING.len())].split_once('=').unwrap();
        pairs.push(pair(peeping.0, peeping.1));
        self.made("peeping", joined(&format!("/{of}"), &pairs))
    }

    /// An address that could be read as another, or is none.
    fn forged(&mut self) -> Request {
        let (of, id) = self.name();
        let other = format!("Patient/p{}", self.rng.usize(..PATIENTS));
        let forged = [
            format!("/{of}//{id}"),
            format!("//{of}/{id}"),
            format!("/{of}/{id}/"),
            format!("/{of}/./{id}"),
            format!("/{of}/../{other}"),
            format!("/%2e%2e/fhir/{of}/{id}"),
            format!("/{of}%2F{id}"),
            format!("/{of};x=1/{id}"),
            format!("/{}/{id}", of.to_lowercase()),
            format!("/{of}/%70{id}"),
            format!("/{of}/{id}%00"),
            format!("/{other}/$everything/"),
            format!("/{other}%24everything"),
            format!("/_pages/{id}"),
            "/_pages/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_owned(),
            "/_pages/".to_owned(),
            "?_getpages=1&_getpagesoffset=0&_count=20".to_owned(),
            "?_page=2".to_owned(),
            format!("/{of}?_after=20"),
            format!("/{of}?_offset=20"),
            format!("/{of}?_getpages=1"),
            format!("/{of}/{id}?_format=xml"),
            format!("/{of}/{id}?access_token=x"),
            format!("/{of}?_format=xml"),
            format!("/{of}/{id}/_history/"),
            format!("/{of}/{id}/_history/1/x"),
            format!("/{of}/_history/1"),
            format!("/{of}/_search?_id={id}"),
            format!("/{other}/{of}/{id}"),
            format!("/{other}/_search"),
            format!("/{of}/$everything"),
            "/$export".to_owned(),
            format!("/{other}/$export"),
            "/metadata".to_owned(),
            format!("/{of}/{id}/$graph"),
            format!("/{of}/$lastn"),
            "/$meta".to_owned(),
            format!("/{other}/$summary"),
            format!("/Binary/{id}"),
            "/_operations/export/1".to_owned(),
            "/Group/r7/$export".to_owned(),
            String::new(),
            "/$graphql?query={PatientList{name{family}}}".replace('{', "%7B").replace('}', "%7D"),
            format!("/{of}/{id}/_history?_at=2024-01-01"),
            "/.well-known/smart-configuration".to_owned(),
        ];
        let path = forged[self.rng.usize(..forged.len())].clone();
        self.made("forged", path)
    }
}

fn joined(path: &str, pairs: &[String]) -> String {
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}

fn pair(name: &str, value: &str) -> String {
    let mut encoded: String = String::new();
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b',' | b'/' => {
                encoded.push(char::from(byte))
            }
            byte => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    format!("{name}={encoded}")
}
