//! The names that there are: the keys of a table, asked of its type.

use serde::de::{Deserialize, Deserializer, Visitor};
use serde::forward_to_deserialize_any;

use crate::{destination, source};

/// The keys of the table that `T` is read from.
pub(super) fn keys_of<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    T::deserialize(Ask).err().map_or(&[], |keys| keys.0)
}

/// The keys of a tracker's own options.
pub(super) fn tracker_keys(product: &str) -> &'static [&'static str] {
    source::tracker(product, Ask).and_then(Result::err).map_or(&[], |keys| keys.0)
}

/// The keys of a platform's own options.
pub(super) fn platform_keys(product: &str) -> &'static [&'static str] {
    destination::platform(product, Ask).and_then(Result::err).map_or(&[], |keys| keys.0)
}

/// Answers every question with the list of the struct's fields, by way of an error.
struct Ask;

/// The answer.
#[derive(Debug, thiserror::Error)]
#[error("a list of keys")]
struct Keys(&'static [&'static str]);

impl serde::de::Error for Keys {
    fn custom<T: std::fmt::Display>(_: T) -> Self {
        Self(&[])
    }
}

impl<'de> Deserializer<'de> for Ask {
    type Error = Keys;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Keys> {
        Err(Keys(&[]))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Keys> {
        Err(Keys(fields))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// Names in a sentence: `a, b or c`; a long list is cut.
pub(super) fn any_of<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 12;
    let names: Vec<_> = names.into_iter().collect();
    match names.split_last() {
        None => "nothing".to_owned(),
        Some((only, [])) => (*only).to_owned(),
        Some((last, others)) if names.len() <= SHOWN => format!("{} or {last}", others.join(", ")),
        Some(_) => format!("{}, …", names.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_names_reads_as_a_sentence() {
        assert_eq!(any_of([]), "nothing");
        assert_eq!(any_of(["a"]), "a");
        assert_eq!(any_of(["a", "b", "c"]), "a, b or c");
        assert!(any_of(["x"; 40]).ends_with("x, …"));
    }

    #[test]
    fn a_type_tells_its_keys() {
        #[derive(serde::Deserialize)]
        #[expect(dead_code, reason = "only its shape is asked for")]
        struct Shape {
            first: String,
            second: Option<u8>,
        }
        assert_eq!(keys_of::<Shape>(), ["first", "second"]);
        assert_eq!(tracker_keys("bugfender"), ["severity"]);
    }
}
