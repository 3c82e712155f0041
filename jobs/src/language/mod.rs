//! Languages: what is said in each of them.
//!
//! The texts lie in `locales/`, a folder for each language, as Fluent resources; `texts` finds them by their keys, `dates`
//! tells days, times and nights. To add a text: a variant of [`TextKey`], and its message in every language. To add a
//! language: a variant of [`Language`], its folder, and its resources in `texts`.

pub mod dates;
mod texts;

pub use concord_domain::language::Language;

pub use self::texts::{TextKey, text};

/// What happened is told in one language, however many read it: pages show it as it was raised.
pub const NOTICE_LANGUAGE: Language = Language::En;
