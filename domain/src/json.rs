//! JSON as schemas mean it: what is an object there is an object, at every depth.
//!
//! serde's structs also take a list of their fields' values, in the order in which somebody has written them in Rust: no
//! schema says so, and whoever adds a field would move them all. [`StrictStructs`] stands around any reader and refuses it.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, EnumAccess, Error, MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor},
};

/// A reader that takes no list for a struct. What serde buffers first (`untagged`, `flatten`) it does not see.
#[derive(Debug)]
pub struct StrictStructs<T>(pub T);

/// Reads a text that is JSON from its first byte to its last.
pub fn from_slice<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = T::deserialize(StrictStructs(&mut reader))?;
    reader.end()?;
    Ok(value)
}

/// What is read by a visitor that knows whether it reads a struct.
struct StrictVisitor<V> {
    visitor: V,
    is_struct: bool,
}

fn plain<V>(visitor: V) -> StrictVisitor<V> {
    StrictVisitor { visitor, is_struct: false }
}

macro_rules! forward {
    ($($method:ident($($name:ident: $type:ty),*))+) => {$(
        fn $method<V: Visitor<'de>>(self, $($name: $type,)* visitor: V) -> Result<V::Value, Self::Error> {
            self.0.$method($($name,)* plain(visitor))
        }
    )+};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for StrictStructs<D> {
    type Error = D::Error;

    forward! {
        deserialize_any() deserialize_bool() deserialize_i8() deserialize_i16() deserialize_i32() deserialize_i64()
        deserialize_i128() deserialize_u8() deserialize_u16() deserialize_u32() deserialize_u64() deserialize_u128()
        deserialize_f32() deserialize_f64() deserialize_char() deserialize_str() deserialize_string()
        deserialize_bytes() deserialize_byte_buf() deserialize_option() deserialize_unit() deserialize_seq()
        deserialize_map() deserialize_identifier() deserialize_ignored_any() deserialize_tuple(len: usize)
        deserialize_unit_struct(name: &'static str) deserialize_newtype_struct(name: &'static str)
        deserialize_tuple_struct(name: &'static str, len: usize)
        deserialize_enum(name: &'static str, variants: &'static [&'static str])
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.0.deserialize_struct(name, fields, StrictVisitor { visitor, is_struct: true })
    }

    fn is_human_readable(&self) -> bool {
        self.0.is_human_readable()
    }
}

macro_rules! values {
    ($($method:ident: $value:ty;)+) => {$(
        fn $method<E: Error>(self, value: $value) -> Result<V::Value, E> {
            self.visitor.$method(value)
        }
    )+};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for StrictVisitor<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    values! {
        visit_bool: bool; visit_i8: i8; visit_i16: i16; visit_i32: i32; visit_i64: i64; visit_i128: i128;
        visit_u8: u8; visit_u16: u16; visit_u32: u32; visit_u64: u64; visit_u128: u128; visit_f32: f32; visit_f64: f64;
        visit_char: char; visit_str: &str; visit_borrowed_str: &'de str; visit_string: String; visit_bytes: &[u8];
        visit_borrowed_bytes: &'de [u8]; visit_byte_buf: Vec<u8>;
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_some(StrictStructs(from))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, from: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_newtype_struct(StrictStructs(from))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<V::Value, A::Error> {
        if self.is_struct {
            return Err(A::Error::invalid_type(Unexpected::Seq, &self));
        }
        self.visitor.visit_seq(StrictStructs(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_map(StrictStructs(map))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, choice: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_enum(StrictStructs(choice))
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for StrictStructs<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(StrictStructs(from))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for StrictStructs<A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.0.next_element_seed(StrictStructs(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for StrictStructs<A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.0.next_key_seed(StrictStructs(seed))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.0.next_value_seed(StrictStructs(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, A: EnumAccess<'de>> EnumAccess<'de> for StrictStructs<A> {
    type Error = A::Error;
    type Variant = StrictStructs<A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self::Variant), A::Error> {
        let (value, variant) = self.0.variant_seed(StrictStructs(seed))?;
        Ok((value, StrictStructs(variant)))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for StrictStructs<A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.0.unit_variant()
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        self.0.newtype_variant_seed(StrictStructs(seed))
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        self.0.tuple_variant(len, plain(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.0.struct_variant(fields, StrictVisitor { visitor, is_struct: true })
    }
}

#[cfg(test)]
mod tests {
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
    }
}
