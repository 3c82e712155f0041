//! JSON as schemas mean it: what is an object there is an object, at every depth.
//!
//! serde's structs also take a list of their fields' values, in the order in which somebody has written them in Rust: no
//! schema says so, and whoever adds a field would move them all. [`StrictStructs`] refuses it.

use serde::{
    Deserializer,
    de::{
        DeserializeOwned, Error, IntoDeserializer, Unexpected, Visitor,
        value::{MapAccessDeserializer, MapDeserializer, SeqDeserializer},
    },
    forward_to_deserialize_any,
};
use serde_json::Value;

/// A value that takes no list for a struct. What serde buffers first (`untagged`, `flatten`) it does not see.
#[derive(Debug)]
pub struct StrictStructs(pub Value);

/// Reads a text that is JSON from its first byte to its last.
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, serde_json::Error> {
    T::deserialize(StrictStructs(serde_json::from_slice(bytes)?))?;
    // A value knows each name once: that one is given twice is seen in the text alone.
    serde_json::from_slice(bytes)
}

impl IntoDeserializer<'_, serde_json::Error> for StrictStructs {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for StrictStructs {
    type Error = serde_json::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self.0 {
            Value::Array(list) => {
                let mut list = SeqDeserializer::new(list.into_iter().map(StrictStructs));
                let value = visitor.visit_seq(&mut list)?;
                list.end()?;
                Ok(value)
            }
            Value::Object(map) => {
                let mut map = MapDeserializer::new(map.into_iter().map(|(name, value)| (name, Self(value))));
                let value = visitor.visit_map(&mut map)?;
                map.end()?;
                Ok(value)
            }
            other => other.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        if self.0.is_array() {
            return Err(Self::Error::invalid_type(Unexpected::Seq, &visitor));
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        match self.0 {
            Value::Object(map) if map.len() == 1 => {
                let map = map.into_iter().map(|(name, value)| (name, Self(value)));
                visitor.visit_enum(MapAccessDeserializer::new(MapDeserializer::new(map)))
            }
            other => other.deserialize_enum(name, variants, visitor),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct SampleOuter {
        name: String,
        #[serde(default)]
        inner: Option<SampleInner>,
        #[serde(default)]
        list: Vec<SampleInner>,
        #[serde(default)]
        pair: Option<(u8, SampleInner)>,
        #[serde(default)]
        choice: Option<SampleEnum>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct SampleInner {
        #[serde(default)]
        number: u8,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    enum SampleEnum {
        Struct { number: u8 },
        Tuple(u8, SampleInner),
        New(SampleInner),
    }

    #[test]
    fn list_for_a_struct_is_refused_at_every_depth() {
        for json in [
            r#"["Ana"]"#,
            r#"["Ana", null, [], null, null]"#,
            r#"{"name": "Ana", "inner": [7]}"#,
            r#"{"name": "Ana", "inner": []}"#,
            r#"{"name": "Ana", "list": [{"number": 7}, [7]]}"#,
            r#"{"name": "Ana", "pair": [1, [7]]}"#,
            r#"{"name": "Ana", "choice": {"Struct": [7]}}"#,
            r#"{"name": "Ana", "choice": {"Tuple": [1, [7]]}}"#,
            r#"{"name": "Ana", "choice": {"New": [7]}}"#,
        ] {
            let refused = from_slice::<SampleOuter>(json.as_bytes()).unwrap_err().to_string();
            assert!(refused.contains("invalid type: sequence, expected"), "{json}: {refused}");
        }
    }

    #[test]
    fn whatever_else_is_read_as_ever() {
        for json in [
            r#"{"name": "Ana"}"#,
            r#"{"name": "Ana", "inner": {"number": 7}, "list": [{}, {"number": 1}], "pair": [1, {"number": 7}]}"#,
            r#"{"name": "Ana", "choice": {"Struct": {"number": 7}}}"#,
            r#"{"name": "Ana", "choice": {"Tuple": [1, {}]}}"#,
            r#"{"name": "Ana", "choice": {"New": {}}}"#,
        ] {
            let usual: SampleOuter = serde_json::from_str(json).unwrap();
            assert_eq!(from_slice::<SampleOuter>(json.as_bytes()).unwrap(), usual, "{json}");
        }
        assert!(from_slice::<SampleOuter>(b"{\"name\": \"Ana\"} x").is_err());
        let twice = from_slice::<SampleOuter>(b"{\"name\": \"Ana\", \"name\": \"Rui\"}").unwrap_err();
        assert!(twice.to_string().contains("duplicate field `name`"), "{twice}");
    }
}
