//! The addresses that keys may be fetched from.
//!
//! An address that the operator wrote is trusted as it is. One that a discovery document names is
//! not: it must be https, and must not lead into a network that only this machine can reach
//! (CVE-2026-41413), unless the operator's own address lies in one. Link-local addresses and cloud
//! metadata are never dialled for a document, wherever that came from: nobody publishes keys there,
//! but secrets of the machine are. The check is made on the addresses that are dialled, so a name
//! that later resolves elsewhere does not help.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Reports whether an address is loopback, private, shared, link-local (cloud metadata among them),
/// or otherwise not public (IANA special-purpose registries, RFC 6890).
pub(crate) fn is_internal(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_internal_v4(v4),
        // Not `to_ipv4_mapped`: `::a.b.c.d` counts, too (RFC 4291 section 2.5.5.1), and `::1` as 0.0.0.1.
        IpAddr::V6(v6) => match v6.to_ipv4() {
            Some(v4) => is_internal_v4(v4),
            None => is_internal_v6(v6),
        },
    }
}

fn is_internal_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_multicast()
        || matches!((a, b, c), (0, _, _) | (100, 64..=127, _) | (192, 0, 0) | (198, 18..=19, _))
        || a >= 240
}

fn is_internal_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    address.is_multicast()
        || address.is_unique_local()
        || address.is_unicast_link_local()
        // The deprecated site-local range, fec0::/10.
        || (first & 0xffc0) == 0xfec0
        // SIIT, NAT64 and 6to4 carry an IPv4 address that was not checked.
        || (first, second) == (0x64, 0xff9b)
        || address.segments().starts_with(&[0, 0, 0, 0, 0xffff, 0])
        || first == 0x2002
}

/// Reports whether an address is link-local, or one at which a cloud serves metadata, in whichever
/// notation.
pub(crate) fn is_metadata(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => {
            let carried = carried_v4(v6).is_some_and(|v4| v4.is_link_local());
            // Amazon has fd00:ec2::/32 for its services.
            let [first, second, ..] = v6.segments();
            carried || v6.is_unicast_link_local() || (first, second) == (0xfd00, 0x0ec2)
        }
    }
}

/// Returns the IPv4 address that an IPv6 address carries: mapped, SIIT, NAT64 or 6to4.
fn carried_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match (a, b, c, d, e, f) {
        (0, 0, 0, 0, 0, 0 | 0xffff) | (0, 0, 0, 0, 0xffff, 0) | (0x64, 0xff9b, ..) => {
            Some(v4(g, h))
        }
        (0x2002, ..) => Some(v4(b, c)),
        _ => None,
    }
}

/// The addresses that may be dialled for what a document names.
#[derive(Clone, Copy, Debug)]
pub(crate) enum DialPolicy {
    /// All but link-local addresses and cloud metadata.
    Network,
    /// Public addresses alone.
    Public,
}

impl DialPolicy {
    /// Returns what speaks against an address.
    pub(crate) fn fault(self, address: IpAddr) -> Option<&'static str> {
        if is_metadata(address) {
            return Some("a link-local or cloud metadata address");
        }
        let is_out = matches!(self, Self::Public) && is_internal(address);
        is_out.then_some("an internal address, but the provider's own address is not")
    }
}

/// A resolver that rejects names which lead out of reach.
#[derive(Debug)]
pub(crate) struct PolicyResolver(pub(crate) DialPolicy);

impl Resolve for PolicyResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let Self(reach) = *self;
        Box::pin(async move {
            // For port 0, reqwest puts that of the URL or of its scheme.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let found: Vec<SocketAddr> = found.collect();
            if let Some(fault) = found.iter().find_map(|address| reach.fault(address.ip())) {
                return Err(format!("the name resolves to {fault}").into());
            }
            let addresses: Addrs = Box::new(found.into_iter());
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn internal_addresses_are_known_in_every_notation() {
        for internal in [
            "127.0.0.1",
            "127.8.8.8",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "192.0.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fd00:ec2::254",
            "fe80::1",
            "ff02::1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:0:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:7f00:1::",
        ] {
            assert!(is_internal(internal.parse().unwrap()), "{internal}");
        }
        for public in ["1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1", "::ffff:8.8.8.8"] {
            let address = public.parse().unwrap();
            assert!(!is_internal(address), "{public}");
            for reach in [DialPolicy::Network, DialPolicy::Public] {
                assert_eq!(reach.fault(address), None, "{public}: {reach:?}");
            }
        }
    }

    #[test]
    fn link_local_addresses_and_cloud_metadata_are_known_in_every_notation() {
        for metadata in [
            "169.254.169.254",
            "169.254.0.1",
            "fe80::1",
            "febf::1",
            "fd00:ec2::254",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "::ffff:0:a9fe:a9fe",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
        ] {
            let address = metadata.parse().unwrap();
            assert!(is_metadata(address), "{metadata}");
            for reach in [DialPolicy::Network, DialPolicy::Public] {
                assert!(reach.fault(address).is_some(), "{metadata}: {reach:?}");
            }
        }
        for other in ["10.0.0.1", "127.0.0.1", "::1", "fd00::1", "fec0::1", "64:ff9b::a00:1"] {
            let address = other.parse().unwrap();
            assert!(
                !is_metadata(address) && DialPolicy::Network.fault(address).is_none(),
                "{other}"
            );
            assert!(DialPolicy::Public.fault(address).is_some(), "{other}");
        }
    }

    #[tokio::test]
    async fn a_name_that_resolves_to_cloud_metadata_is_never_dialled_for_a_document() {
        for reach in [DialPolicy::Network, DialPolicy::Public] {
            // A resolver reads a number as a name that leads to itself.
            let name = "169.254.169.254".parse::<Name>().unwrap();
            let Err(error) = PolicyResolver(reach).resolve(name).await else { panic!("{reach:?}") };
            assert!(error.to_string().contains("cloud metadata"), "{reach:?}: {error}");
        }
    }
}
