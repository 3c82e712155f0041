//! The rules of Concord, as values and pure functions.
//!
//! What a booking may say, who occupies what, what must be written to which calendar, what a feed looks like: all
//! that can be decided without asking anybody is decided here, so that it can be read, and attacked by property
//! tests, on its own.
//!
//! It must never do I/O, read the clock (`clock::Clock` is only handed through), hold an async function, or know a
//! provider's or a database's types. The concessions are the features `sqlx`, by which `storage` lets ids and enums be
//! columns, and `openapi`, by which the API describes the enums.
//!
//! To add a rule: write a function from values to a value in the module that the rule is about, a table of cases
//! beside it, and a property that holds for all cases; then call it from the one place in `storage` or `jobs` that
//! acts on it. To add a booking platform: a file in `config/platforms`, and its name in `platform`.

// The targets of the fuzzer name this crate as other crates do, and are tests of this one.
#[cfg(test)]
extern crate self as concord_domain;

pub mod alert;
pub mod audit;
pub mod availability;
pub mod booking;
pub mod channel;
pub mod clock;
mod column;
pub mod connection;
pub mod customer;
pub mod delivery_route;
pub mod entry;
pub mod erasure;
pub mod feed;
pub mod ical;
pub mod ids;
pub mod interval;
pub mod invitation;
pub mod job;
pub mod json;
pub mod language;
pub mod mail;
pub mod mail_text;
pub mod mailbox;
pub mod notice;
pub mod notification;
pub mod occupancy;
pub mod oidc;
pub mod people;
pub mod platform;
pub mod privacy;
pub mod provider;
pub mod push;
pub mod reminder;
pub mod sender_domain;
pub mod settings;
pub mod sync;
pub mod time_text;
pub mod webhook;

/// Defines a closed set of words that is stored, sent and shown as its snake-case name. What stands after the name is
/// what the OpenAPI document says of the set; one without it is not in the document.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident $($description:literal)? { $($(#[$word_doc:meta])* $word:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[derive(strum::Display, strum::EnumString, strum::IntoStaticStr, strum::VariantArray, strum::VariantNames)]
        #[strum(parse_err_ty = $crate::UnknownWord, parse_err_fn = $crate::UnknownWord::of::<$name>)]
        pub enum $name {
            $(
                $(#[$word_doc])*
                #[serde(rename = $text)]
                #[strum(serialize = $text)]
                $word,
            )+
        }

        impl $name {
            /// All of them, in the order in which people expect them.
            pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;

            /// The stored and sent form.
            pub fn as_str(self) -> &'static str {
                self.into()
            }
        }

        $crate::column::column!('v, $name as &'v str, |word| word.as_str(), |text| Ok(text.parse()?));

        // Not derived: utoipa does not see the names that serde is given by this macro.
        $(#[cfg(feature = "openapi")]
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .description(Some($description))
                    .enum_values(Some(Self::ALL.iter().map(|word| word.as_str())))
                    .into()
            }
        }

        #[cfg(feature = "openapi")]
        impl utoipa::ToSchema for $name {
            fn name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
        })?
    };
}
pub(crate) use words;

/// Bytes as hexadecimal digits, in lower case.
pub use hex::encode as hex;

/// A word that is not in its set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be one of {}", allowed.join(", "))]
pub struct UnknownWord {
    /// What would have been understood.
    pub allowed: &'static [&'static str],
}

impl UnknownWord {
    fn of<T: strum::VariantNames>(_: &str) -> Self {
        Self { allowed: T::VARIANTS }
    }
}
