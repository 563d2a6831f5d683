//! A table → typed values. `toml` has a deserializer of its own, which adds 100 KB to PID 1 and repeats what it finds in
//! its errors; this one says what kind of value it found, and never which.

use std::fmt::{self, Display};
use std::iter::Enumerate;
use std::ops::Range;

use serde::de::value::StrDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Error as _, Expected, IntoDeserializer, MapAccess, SeqAccess};
use serde::de::{Unexpected, Visitor};
use serde::forward_to_deserialize_any;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

/// What is wrong, and where.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) message: String,
    pub(super) span: Option<Range<usize>>,
    /// The keys that lead there, the innermost first; an item of a list has its number.
    pub(super) path: Vec<String>,
}

impl Wrong {
    fn new(message: String) -> Self {
        Wrong { message, span: None, path: Vec::new() }
    }

    /// The innermost place is the right one.
    fn at(mut self, span: Range<usize>) -> Self {
        self.span.get_or_insert(span);
        self
    }

    /// It is in the value of this key.
    fn below(mut self, key: String) -> Self {
        self.path.push(key);
        self
    }
}

impl Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Wrong {}

impl serde::de::Error for Wrong {
    fn custom<T: Display>(message: T) -> Self {
        Wrong::new(message.to_string())
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Wrong::new(format!("expected {expected}"))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Wrong::new(match found {
            // What is expected is a type of Rust's, which says nothing to whoever writes documents.
            Unexpected::Unsigned(number) => format!("`{number}` is out of range"),
            _ => format!("expected {expected}"),
        })
    }
}

/// One value where it stands.
pub(super) struct Value<'a, 'de>(pub(super) &'a Spanned<DeValue<'de>>);

impl Value<'_, '_> {
    fn expected(&self, what: &str) -> Wrong {
        let found = match self.0.get_ref() {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "an integer",
            DeValue::Float(_) => "a float",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        Wrong::custom(format!("expected {what}, found {found}"))
    }

    fn integer(&self) -> Result<i64, Wrong> {
        let DeValue::Integer(integer) = self.0.get_ref() else { return Err(self.expected("an integer")) };
        i64::from_str_radix(integer.as_str(), integer.radix()).map_err(|_| self.expected("a smaller number"))
    }

    fn string(&self) -> Result<&str, Wrong> {
        self.0.get_ref().as_str().ok_or_else(|| self.expected("a string"))
    }
}

impl<'a, 'de> Deserializer<'de> for Value<'a, 'de> {
    type Error = Wrong;

    /// Text or a number: what may be either says so itself.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.0.get_ref() {
            DeValue::String(text) => visitor.visit_str(text),
            DeValue::Integer(_) => visitor.visit_i64(self.integer()?),
            DeValue::Table(_) => Err(self.expected("a string (a name with dots is written in quotes)")),
            _ => Err(self.expected("a string")),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_str(self.string()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_str(self.string()?)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.0.get_ref() {
            DeValue::Boolean(value) => visitor.visit_bool(*value),
            _ => Err(self.expected("true or false")),
        }
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let number = u64::try_from(self.integer()?);
        visitor.visit_u64(number.map_err(|_| Wrong::custom("a number below 0, expected one of 0 or more"))?)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_some(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.0.get_ref() {
            DeValue::Array(items) => visitor.visit_seq(Items(items.iter().enumerate())),
            _ => Err(self.expected("a list")),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.0.get_ref() {
            DeValue::Table(table) => visitor.visit_map(Pairs::of(table)),
            _ => Err(self.expected("a table")),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        let name: StrDeserializer<'_, Wrong> = self.string()?.into_deserializer();
        visitor.visit_enum(name)
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u128 f32 f64 char bytes byte_buf unit unit_struct newtype_struct tuple tuple_struct
        identifier ignored_any
    }
}

/// A table's keys and values, each mistake with its key and place.
pub(super) struct Pairs<'a, 'de> {
    rest: toml::map::Iter<'a, Spanned<DeString<'de>>, Spanned<DeValue<'de>>>,
    pair: Option<(&'a Spanned<DeString<'de>>, &'a Spanned<DeValue<'de>>)>,
}

impl<'a, 'de> Pairs<'a, 'de> {
    pub(super) fn of(table: &'a DeTable<'de>) -> Self {
        Pairs { rest: table.iter(), pair: None }
    }
}

impl<'de> MapAccess<'de> for Pairs<'_, 'de> {
    type Error = Wrong;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Wrong> {
        let Some((key, value)) = self.rest.next() else { return Ok(None) };
        self.pair = Some((key, value));
        let name: StrDeserializer<'_, Wrong> = key.get_ref().as_ref().into_deserializer();
        seed.deserialize(name).map(Some).map_err(|wrong| wrong.at(key.span()))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Wrong> {
        let pair = self.pair.take().ok_or_else(|| Wrong::custom("a value was asked for before its key"))?;
        let (key, value) = pair;
        seed.deserialize(Value(value)).map_err(|wrong| wrong.at(value.span()).below(key.get_ref().to_string()))
    }
}

/// A list's items, each mistake with its number and place.
struct Items<'a, 'de>(Enumerate<std::slice::Iter<'a, Spanned<DeValue<'de>>>>);

impl<'de> SeqAccess<'de> for Items<'_, 'de> {
    type Error = Wrong;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Wrong> {
        let Some((index, item)) = self.0.next() else { return Ok(None) };
        seed.deserialize(Value(item)).map(Some).map_err(|wrong| wrong.at(item.span()).below(index.to_string()))
    }
}
