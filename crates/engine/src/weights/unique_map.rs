//! A JSON object whose names are all different. Plain deserialisation would keep the last of two entries silently, and a
//! checkpoint that names a tensor twice is damaged or hostile.

use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

/// The entries of an object in their order.
#[derive(Debug)]
pub(crate) struct UniqueMap<V>(pub(crate) Vec<(String, V)>);

/// A value whose form may depend on its name.
pub(crate) trait NamedValue<'de>: Sized {
    fn read<A: MapAccess<'de>>(name: &str, map: &mut A) -> Result<Self, A::Error>;
}

impl<'de> NamedValue<'de> for String {
    fn read<A: MapAccess<'de>>(_: &str, map: &mut A) -> Result<Self, A::Error> {
        map.next_value()
    }
}

struct EntriesVisitor<V>(PhantomData<V>);

impl<'de, V: NamedValue<'de>> Visitor<'de> for EntriesVisitor<V> {
    type Value = UniqueMap<V>;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut entries, mut seen) = (Vec::new(), HashSet::new());
        while let Some(name) = map.next_key::<String>()? {
            if !seen.insert(name.clone()) {
                return Err(A::Error::custom(format!("'{name}' occurs twice")));
            }
            let value = V::read(&name, &mut map).map_err(|error| A::Error::custom(format!("'{name}': {error}")))?;
            entries.push((name, value));
        }
        Ok(UniqueMap(entries))
    }
}

impl<'de, V: NamedValue<'de>> Deserialize<'de> for UniqueMap<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor(PhantomData))
    }
}
