//! A platform's file: its text, the keys that it may have, and how it is told what is wrong with them.

use std::fmt;

use serde::Deserialize;
use toml::Spanned;

use super::{EventKind, PlatformKind, PlatformVerification, TextField, UidKeeps};

/// The text of a platform's file.
#[derive(Clone, Debug)]
pub struct PlatformFile {
    /// Where it was read, for messages.
    pub name: String,
    pub text: String,
}

/// One thing that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlatformFileError {
    /// Where it was read.
    pub file: String,
    pub line: usize,
    /// What is wrong, in words that follow a colon.
    pub problem: String,
}

impl fmt::Display for PlatformFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: line {}: {}", self.file, self.line, self.problem)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileKeys {
    pub(super) id: Spanned<String>,
    pub(super) name: Spanned<String>,
    pub(super) kind: Spanned<PlatformKind>,
    #[serde(default)]
    pub(super) aliases: Vec<Spanned<String>>,
    pub(super) hue: Spanned<u32>,
    pub(super) imports: bool,
    pub(super) exports: bool,
    pub(super) interval_minutes: Option<Spanned<u32>>,
    pub(super) min_interval_minutes: Option<Spanned<u32>>,
    pub(super) reads_every_minutes: Option<Spanned<(u32, u32)>>,
    pub(super) past_days_kept: Spanned<u32>,
    pub(super) uid_keeps: UidKeeps,
    pub(super) unclear: EventKind,
    #[serde(default)]
    pub(super) window_months: Vec<Spanned<u32>>,
    #[serde(default)]
    pub(super) hosts: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) products: Vec<Spanned<String>>,
    pub(super) checked: Option<PlatformVerification>,
    #[serde(default)]
    pub(super) import_steps: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) export_steps: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) notes: Vec<String>,
    #[serde(default)]
    pub(super) reservation: Vec<Spanned<RuleKeys>>,
    #[serde(default)]
    pub(super) block: Vec<Spanned<RuleKeys>>,
    pub(super) checklist: Option<Spanned<ChecklistKeys>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleKeys {
    pub(super) field: TextField,
    pub(super) equals: Option<String>,
    pub(super) starts_with: Option<String>,
    pub(super) contains: Option<String>,
    #[serde(default)]
    pub(super) guest: bool,
    #[serde(default)]
    pub(super) tentative: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChecklistKeys {
    pub(super) date_format: Spanned<String>,
    pub(super) create: Vec<Spanned<String>>,
    pub(super) change: Vec<Spanned<String>>,
    pub(super) cancel: Vec<Spanned<String>>,
    pub(super) close: Spanned<String>,
    pub(super) open: Spanned<String>,
}
