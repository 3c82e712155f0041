//! The parts of OData's query options that Graph's calendars take, read and checked.

use serde_json::{Map, Value};

use super::errors::GraphApiError;
use crate::store::StoredEntry;

/// How many items a page holds if nothing is said, and at most.
pub(crate) const DEFAULT_PAGE: usize = 10;
pub(crate) const LARGEST_PAGE: usize = 1000;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ODataOptions {
    pub(crate) top: Option<usize>,
    pub(crate) skip: usize,
    select: Option<Vec<String>>,
    /// The extended properties that are asked for.
    expand: Option<Vec<String>>,
    pub(crate) filter: Option<ODataFilter>,
}

/// That an extended property of an event has this value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ODataFilter {
    id: String,
    value: String,
}

impl ODataOptions {
    /// Reads the decoded pairs of a query; `known` are the names beside OData's own.
    ///
    /// # Errors
    /// 400 for an option that is not understood. Graph passes some over; a sandbox must not hide a mistake.
    pub(crate) fn read(pairs: &[(String, String)], known: &[&str]) -> Result<Self, GraphApiError> {
        let mut options = Self::default();
        for (name, value) in pairs {
            let bad =
                || GraphApiError::query(format!("The query option {name} cannot be understood: {value}"));
            match name.as_str() {
                "$top" => {
                    let top = value.parse().ok().filter(|top| (1..=LARGEST_PAGE).contains(top));
                    options.top = Some(top.ok_or_else(bad)?);
                }
                "$skip" => options.skip = value.parse().map_err(|_| bad())?,
                "$select" => options.select = Some(value.split(',').map(|one| one.trim().into()).collect()),
                "$expand" => options.expand = Some(expanded(value).ok_or_else(bad)?),
                "$filter" => options.filter = Some(ODataFilter::read(value).ok_or_else(bad)?),
                name if known.contains(&name) => {}
                _ => return Err(bad()),
            }
        }
        Ok(options)
    }

    /// Adds the extended property that was asked for, and leaves out what was not selected.
    pub(crate) fn shape(&self, entry: &StoredEntry, event: Value) -> Value {
        let Value::Object(mut event) = event else { return event };
        if let Some(select) = &self.select {
            event.retain(|name, _| name.starts_with('@') || name == "id" || select.contains(name));
        }
        if let Some(wanted) = &self.expand {
            let properties = entry.fields.get("singleValueExtendedProperties").and_then(Value::as_array);
            let found: Vec<_> = properties
                .into_iter()
                .flatten()
                .filter(|one| {
                    one["id"].as_str().is_some_and(|id| wanted.iter().any(|one| is_same_property(id, one)))
                })
                .cloned()
                .collect();
            // What is not there is not told as empty either.
            if !found.is_empty() {
                event.insert("singleValueExtendedProperties".into(), found.into());
            }
        }
        Value::Object(event)
    }
}

impl ODataFilter {
    /// `singleValueExtendedProperties/Any(ep: ep/id eq '...' and ep/value eq '...')`.
    fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        if !text.to_ascii_lowercase().starts_with("singlevalueextendedproperties/any(") {
            return None;
        }
        let inner = text[text.find('(')? + 1..].trim_end().strip_suffix(')')?;
        let (variable, conditions) = inner.split_once(':')?;
        let variable = variable.trim();
        let (id, rest) = equals(conditions, &format!("{variable}/id"))?;
        let rest = rest.trim_start().strip_prefix("and")?;
        let (value, rest) = equals(rest, &format!("{variable}/value"))?;
        rest.trim().is_empty().then_some(Self { id, value })
    }

    /// Whether an event is meant.
    pub(crate) fn takes(&self, entry: &StoredEntry) -> bool {
        let properties = entry.fields.get("singleValueExtendedProperties").and_then(Value::as_array);
        properties.into_iter().flatten().any(|one| {
            one["id"].as_str().is_some_and(|known| is_same_property(known, &self.id))
                && one["value"].as_str() == Some(self.value.as_str())
        })
    }
}

/// Reads `name eq 'value'` and returns the value and what follows. A quote within is written twice.
fn equals<'a>(text: &'a str, name: &str) -> Option<(String, &'a str)> {
    let rest = text.trim_start().strip_prefix(name)?.trim_start().strip_prefix("eq")?.trim_start();
    let mut value = String::new();
    let mut rest = rest.strip_prefix('\'')?;
    loop {
        let (before, after) = rest.split_once('\'')?;
        value.push_str(before);
        match after.strip_prefix('\'') {
            Some(after) => {
                value.push('\'');
                rest = after;
            }
            None => return Some((value, after)),
        }
    }
}

/// `singleValueExtendedProperties($filter=id eq '...' or id eq '...')`: without the filter Graph refuses it.
fn expanded(text: &str) -> Option<Vec<String>> {
    let inner = text.trim().strip_prefix("singleValueExtendedProperties(")?.strip_suffix(')')?;
    let mut rest = inner.trim().strip_prefix("$filter=")?;
    let mut ids = Vec::new();
    loop {
        let (id, after) = equals(rest, "id")?;
        ids.push(id);
        match after.trim() {
            "" => return Some(ids),
            more => rest = more.strip_prefix("or ")?,
        }
    }
}

/// Graph writes the namespace in lower case, whoever wrote it how.
fn is_same_property(one: &str, other: &str) -> bool {
    let split = |id: &str| {
        let (head, name) = id.split_once('}')?;
        Some((head.to_lowercase(), name.to_owned()))
    };
    split(one).is_some() && split(one) == split(other)
}

/// One page of a list with the address of the next one.
pub(crate) fn page(items: Vec<Value>, next: Option<String>) -> Value {
    let mut page = Map::new();
    page.insert("value".into(), items.into());
    page.extend(next.map(|next| ("@odata.nextLink".to_owned(), next.into())));
    Value::Object(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, value: &str) -> Result<ODataOptions, GraphApiError> {
        ODataOptions::read(&[(name.into(), value.into())], &["startDateTime"])
    }

    #[test]
    fn an_extended_property_is_asked_for_by_id_and_value() {
        let id = "String {66f5a359-4659-4830-9070-00047ec6ac6e} Name Booking";
        let filter =
            format!("singleValueExtendedProperties/Any(ep: ep/id eq '{id}' and ep/value eq 'it''s 7')");
        let expected = ODataFilter { id: id.into(), value: "it's 7".into() };
        assert_eq!(read("$filter", &filter).unwrap().filter, Some(expected));
        let expand = format!("singleValueExtendedProperties($filter=id eq '{id}')");
        assert_eq!(read("$expand", &expand).unwrap().expand, Some(vec![id.to_owned()]));
        let both = format!("singleValueExtendedProperties($filter=id eq '{id}' or id eq 'b')");
        assert_eq!(read("$expand", &both).unwrap().expand, Some(vec![id.to_owned(), "b".to_owned()]));
        assert!(is_same_property(id, &id.replace("66f5a359", "66F5A359")));
        assert!(!is_same_property(id, &id.replace("Booking", "booking")));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for (name, value) in [
            ("$top", "0"),
            ("$top", "1001"),
            ("$skip", "x"),
            ("$expand", "singleValueExtendedProperties"),
            ("$filter", "contains(subject, 'x')"),
            ("$orderby", "subject"),
            ("$search", "x"),
            ("pageToken", "x"),
        ] {
            assert!(read(name, value).is_err(), "{name}={value}");
        }
        assert!(read("startDateTime", "2026-01-01").is_ok());
    }
}
