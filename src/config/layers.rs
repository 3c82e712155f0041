//! Settings from several sources laid over one another, each remembered with where it came from.
//!
//! The defaults hold every key there is, so they also say which keys are known and of what kind each one is.

use std::{collections::BTreeMap, path::Path};

use toml::{Table, Value};

use super::error::{ConfigError, ConfigFault, SettingSource};
use crate::spelling;

/// Keys whose values must never be shown.
const SECRET: &[&str] = &[
    "database.url",
    "queue.redis_url",
    "mail.url",
    "mail.receive_secret",
    "mail.imap_url",
    "security.master_key",
    "security.previous_master_keys",
];

pub(super) struct ConfigLayers {
    known: BTreeMap<String, Value>,
    values: BTreeMap<String, Value>,
    origins: BTreeMap<String, SettingSource>,
    faults: Vec<ConfigFault>,
}

impl ConfigLayers {
    /// Begins with the defaults.
    pub(super) fn with_defaults(defaults: Table) -> Self {
        let mut known = BTreeMap::new();
        flatten("", defaults, &mut known);
        Self { values: known.clone(), known, origins: BTreeMap::new(), faults: Vec::new() }
    }

    /// Lays a file's text over what there is.
    pub(super) fn add_file(&mut self, path: &Path, text: &str) {
        let origin = SettingSource::File(path.to_path_buf());
        match text.parse::<Table>() {
            Ok(table) => self.add_table("", table, &origin),
            Err(error) => {
                // The parser's own display quotes the line, and a secret may be on it.
                let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
                self.push_fault(&origin, "", format!("line {line}: {}", error.message()));
            }
        }
    }

    fn add_table(&mut self, section: &str, table: Table, origin: &SettingSource) {
        for (name, value) in table {
            let key = join(section, &name);
            match value {
                Value::Table(inner) if self.first_of_section(&key).is_some() => {
                    self.add_table(&key, inner, origin);
                }
                value => self.set(&key, value, origin),
            }
        }
    }

    /// Lays one setting, given as text, over what there is.
    pub(super) fn add_text(&mut self, key: &str, text: &str, origin: &SettingSource) {
        if let Some(SettingSource::Variable(earlier)) = self.origins.get(key)
            && matches!(origin, SettingSource::Variable(_))
        {
            let problem = format!("sets {key}, which {earlier} sets too: keep one of them");
            return self.push_fault(origin, key, problem);
        }
        let Some(kind) = self.known.get(key) else { return self.push_unknown_key(key, origin) };
        match parse_text(kind, text) {
            Some(value) => self.set(key, value, origin),
            None => self.push_fault(
                origin,
                key,
                type_mismatch_message(key, kind, &Value::String(text.to_owned())),
            ),
        }
    }

    fn set(&mut self, key: &str, value: Value, origin: &SettingSource) {
        let Some(kind) = self.known.get(key) else { return self.push_unknown_key(key, origin) };
        let value = match (kind, value) {
            (Value::Float(_), Value::Integer(whole)) => {
                whole.to_string().parse().map_or(Value::Integer(whole), Value::Float)
            }
            (_, value) => value,
        };
        if has_kind(kind, &value) {
            self.values.insert(key.to_owned(), value);
            self.origins.insert(key.to_owned(), origin.clone());
        } else {
            self.push_fault(origin, key, type_mismatch_message(key, kind, &value));
        }
    }

    fn push_unknown_key(&mut self, key: &str, origin: &SettingSource) {
        let problem = if let Some(first) = self.first_of_section(key) {
            format!("is a section; set a key of it, such as {}", key_in_source(origin, first))
        } else {
            match nearest(key, self.known.keys()) {
                Some(near) => format!("there is no such key; did you mean {}?", key_in_source(origin, near)),
                None => "there is no such key".to_owned(),
            }
        };
        self.push_fault(origin, key, problem);
    }

    fn first_of_section(&self, section: &str) -> Option<&str> {
        let within = format!("{section}.");
        self.known.keys().find(|known| known.starts_with(&within)).map(String::as_str)
    }

    /// Notes what is wrong with a key, wherever it was set.
    pub(super) fn add_fault(&mut self, key: &str, problem: impl Into<String>) {
        let origin = self.origins.get(key).cloned().unwrap_or(SettingSource::Default);
        self.push_fault(&origin, key, problem.into());
    }

    fn push_fault(&mut self, origin: &SettingSource, key: &str, problem: String) {
        self.faults.push(ConfigFault { origin: origin.clone(), key: key.to_owned(), problem });
    }

    /// The error, if anything is wrong so far.
    pub(super) fn checked(self) -> Result<Self, ConfigError> {
        if self.faults.is_empty() { Ok(self) } else { Err(self.into_error()) }
    }

    /// All that is wrong so far.
    pub(super) fn into_error(self) -> ConfigError {
        ConfigError::Wrong(self.faults)
    }

    /// Whether a key is set to a whole number.
    pub(super) fn is_whole_number(&self, key: &str) -> bool {
        self.values.get(key).is_some_and(Value::is_integer)
    }

    /// The settings as one table, with sections inside sections.
    pub(super) fn merged(&self) -> Table {
        let mut merged = Table::new();
        'keys: for (key, value) in &self.values {
            let (section, name) = key.rsplit_once('.').unwrap_or(("", key));
            let mut table = &mut merged;
            for name in section.split_terminator('.') {
                let inner = table.entry(name).or_insert_with(|| Table::new().into());
                // Two keys of which one is a section of the other: the defaults are a TOML file, where that cannot be.
                let Value::Table(inner) = inner else { continue 'keys };
                table = inner;
            }
            table.insert(name.to_owned(), value.clone());
        }
        merged
    }
}

/// Whether a key's value must never be shown.
pub(super) fn is_secret(key: &str) -> bool {
    SECRET.contains(&key) || key.ends_with("_secret")
}

fn join(section: &str, name: &str) -> String {
    if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") }
}

fn flatten(section: &str, table: Table, into: &mut BTreeMap<String, Value>) {
    for (name, value) in table {
        let key = join(section, &name);
        match value {
            Value::Table(inner) => flatten(&key, inner, into),
            value => {
                into.insert(key, value);
            }
        }
    }
}

/// A variable's text as a value of `kind`. A list is written with commas, or as in a file: `["a", "b"]`.
fn parse_text(kind: &Value, text: &str) -> Option<Value> {
    let text = text.trim();
    match kind {
        Value::Integer(_) => text.parse().ok().map(Value::Integer),
        Value::Float(_) => text.parse().ok().filter(|number: &f64| number.is_finite()).map(Value::Float),
        Value::Boolean(_) => text.parse().ok().map(Value::Boolean),
        Value::Array(_) if text.starts_with('[') => {
            let mut list = format!("list = {text}").parse::<Table>().ok()?;
            list.remove("list")
        }
        Value::Array(_) => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Some(Value::Array(items.map(|item| Value::String(item.to_owned())).collect()))
        }
        _ => Some(Value::String(text.to_owned())),
    }
}

fn has_kind(kind: &Value, value: &Value) -> bool {
    match (kind, value) {
        // No key has a use for a number below nought.
        (Value::Integer(_), Value::Integer(number)) => *number >= 0,
        (Value::Array(_), Value::Array(items)) => items.iter().all(Value::is_str),
        (kind, value) => kind.same_type(value),
    }
}

fn type_mismatch_message(key: &str, kind: &Value, found: &Value) -> String {
    let expected = match kind {
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a number",
        Value::Boolean(_) => "true or false",
        Value::Array(_) => "a list of texts",
        _ => "a text",
    };
    if is_secret(key) {
        format!("expected {expected}")
    } else {
        format!("expected {expected}, found {found}")
    }
}

/// A key as it is written where it was set.
fn key_in_source(origin: &SettingSource, key: &str) -> String {
    match origin {
        SettingSource::Variable(_) => {
            format!("{}{}", super::sources::PREFIX, key.to_ascii_uppercase().replace('.', "__"))
        }
        _ => key.to_owned(),
    }
}

/// The known key that a person most likely meant: the same name in another section, or a slip of the fingers.
fn nearest<'a>(key: &str, known: impl Iterator<Item = &'a String> + Clone) -> Option<&'a str> {
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    let name = last(key);
    let elsewhere = known.clone().find(|candidate| last(candidate) == name);
    elsewhere.map(String::as_str).or_else(|| spelling::nearest(key, known.map(String::as_str)))
}
