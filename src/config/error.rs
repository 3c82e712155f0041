//! What is wrong with the configuration, named by key and by where it was set.

use std::{fmt, io, path::PathBuf};

/// Where a value was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingSource {
    /// The defaults inside the binary.
    Default,
    File(PathBuf),
    /// A variable of the environment.
    Variable(String),
    /// An option of the command line, such as `--listen`.
    Argument(&'static str),
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFault {
    /// Where it was set.
    pub origin: SettingSource,
    /// The key, sections separated by dots; empty if the whole source is concerned.
    pub key: String,
    /// What is wrong with it, in words that follow a colon. Never a secret's value.
    pub problem: String,
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { origin, key, problem } = self;
        match origin {
            SettingSource::File(path) if key.is_empty() => write!(f, "{}: {problem}", path.display()),
            SettingSource::File(path) => write!(f, "{}: {key}: {problem}", path.display()),
            // A variable and an option name their key themselves.
            SettingSource::Variable(name) => write!(f, "environment {name}: {problem}"),
            SettingSource::Argument(name) => write!(f, "{name}: {problem}"),
            SettingSource::Default => write!(f, "{key}: {problem}"),
        }
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file that was asked for cannot be read.
    #[error("{}: cannot be read: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    /// Everything that is wrong, one line each.
    #[error("{}", join_lines(.0))]
    Wrong(Vec<ConfigFault>),
}

fn join_lines(faults: &[ConfigFault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
