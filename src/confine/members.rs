//! The members of a JSON object, each as it was written: to change some of them and no digit of the others.

use std::fmt;

use serde::de::{Error, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

/// The members of an object, in their order.
#[derive(Debug)]
pub(super) struct Members<'a>(Vec<(String, Part<'a>)>);

#[derive(Debug)]
enum Part<'a> {
    Read(&'a RawValue),
    Written(Box<RawValue>),
}

impl<'a> Members<'a> {
    /// Reads an object; one with a member twice is none.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// Returns a member as it was written.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let (_, part) = self.0.iter().find(|(own, _)| own == name)?;
        Some(part.text())
    }

    /// Returns a member that is a string.
    pub(super) fn string(&self, name: &str) -> Option<String> {
        serde_json::from_str(self.get(name)?).ok()
    }

    /// Sets a member, where it is or at the end.
    pub(super) fn set(&mut self, name: &str, value: &impl Serialize) -> Option<()> {
        let written = Part::Written(to_raw_value(value).ok()?);
        match self.0.iter_mut().find(|(own, _)| own == name) {
            Some((_, part)) => *part = written,
            None => self.0.push((name.to_owned(), written)),
        }
        Some(())
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.0.retain(|(own, _)| own != name);
    }

    /// Sets the items of a list that are kept, each perhaps written anew. A member that is not there stays away,
    /// and one that is no list of objects is removed.
    pub(super) fn edit_list(
        &mut self,
        name: &str,
        mut edit: impl FnMut(Members<'_>) -> Option<Box<RawValue>>,
    ) {
        let Some(text) = self.get(name) else { return };
        let items: Option<Vec<&RawValue>> = serde_json::from_str(text).ok();
        let edited = items.map(|items| {
            let read = items.into_iter().filter_map(|item| Members::parse(item.get()));
            read.filter_map(&mut edit).collect::<Vec<_>>()
        });
        match edited {
            Some(edited) => drop(self.set(name, &edited)),
            None => self.remove(name),
        }
    }

    pub(super) fn write(&self) -> Option<Box<RawValue>> {
        to_raw_value(self).ok()
    }
}

impl Part<'_> {
    fn text(&self) -> &str {
        match self {
            Self::Read(part) => part.get(),
            Self::Written(part) => part.get(),
        }
    }
}

impl Serialize for Members<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, part) in &self.0 {
            match part {
                Part::Read(part) => map.serialize_entry(name, part)?,
                Part::Written(part) => map.serialize_entry(name, part)?,
            }
        }
        map.end()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfObject;
        impl<'de> Visitor<'de> for OfObject {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut names = hashbrown::HashSet::new();
                let mut members = Vec::new();
                while let Some((name, part)) = map.next_entry::<String, &'de RawValue>()? {
                    if !names.insert(name.clone()) {
                        return Err(A::Error::custom("a member appears more than once"));
                    }
                    members.push((name, Part::Read(part)));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(OfObject)
    }
}
