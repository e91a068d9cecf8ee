//! The program. Everything is in the library, which is compiled while the crate that it depends on still is: a
//! program itself is compiled last.

fn main() -> std::process::ExitCode {
    fhir_server::main()
}
