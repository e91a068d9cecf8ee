//! Pages of the manual that have configurations.

/// The one with decisions.
pub(crate) const DECISIONS: Page = Page(include_str!("../../src/manual/proxies.md"));

/// The one with certificates of clients.
pub(crate) const CERTIFICATES: Page = Page(include_str!("../../src/manual/mutual_tls.md"));

#[derive(Clone, Copy)]
pub(crate) struct Page(&'static str);

impl Page {
    /// The one block of a language, with other addresses.
    pub(crate) fn block(self, language: &str, addresses: &[(&str, &str)]) -> String {
        let start = format!("\n```{language}\n");
        let (_, rest) =
            self.0.split_once(&start).unwrap_or_else(|| panic!("no block of {language}"));
        assert!(!rest.contains(&start), "two blocks of {language}");
        let (block, _) = rest.split_once("```\n").unwrap();
        addresses.iter().fold(block.to_owned(), |block, (written, real)| {
            // Envoy writes the port apart, and Caddy the address.
            let (_, port) = written.split_once(':').unwrap();
            let (_, real_port) = real.split_once(':').unwrap();
            let apart = format!("port_value: {port} ");
            let of_any_name = format!("//:{port} ");
            block
                .replace(written, real)
                .replace(&apart, &format!("port_value: {real_port} "))
                .replace(&of_any_name, &format!("//:{real_port} "))
        })
    }

    /// Whether it has a block of a language.
    pub(crate) fn has(self, language: &str) -> bool {
        self.0.contains(&format!("\n```{language}\n"))
    }

    /// The page from a heading on, up to the next one of its kind.
    pub(crate) fn section(self, heading: &str) -> Self {
        let start = format!("\n## {heading}\n");
        let (_, rest) = self.0.split_once(&start).unwrap_or_else(|| panic!("no {heading}"));
        Self(rest.split("\n## ").next().unwrap())
    }
}

/// The version that the table of the page names for a proxy.
pub(crate) fn version(name: &str) -> &'static str {
    let row = DECISIONS.0.lines().find(|line| {
        let cell = line.strip_prefix("| ").unwrap_or_default().to_ascii_lowercase();
        cell.starts_with(name) && line.matches(" | ").count() >= 3
    });
    let cell = row.unwrap_or_else(|| panic!("no row of {name}")).split(" | ").nth(1).unwrap();
    cell.split(' ').next().unwrap()
}
