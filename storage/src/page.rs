//! Lists, a page at a time.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// Which part of a list is wanted.
#[derive(Clone, Debug)]
pub struct PageRequest {
    /// Rows at the most, 1 to 200.
    pub limit: u32,
    /// What `Page::next` of the page before said.
    pub after: Option<String>,
}

impl Default for PageRequest {
    fn default() -> Self {
        Self { limit: 50, after: None }
    }
}

impl PageRequest {
    /// The key of the last row of the page before; `Err` for a text that no page gave.
    pub(crate) fn after_key<K: DeserializeOwned>(&self) -> Result<Option<K>, InvalidPageCursor> {
        self.after.as_deref().map(decode).transpose()
    }

    /// One row more than is shown, to know whether there is a next page.
    pub(crate) fn fetch(&self) -> i64 {
        i64::from(self.limit.clamp(1, 200)) + 1
    }
}

/// A cursor that no page gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the page cursor is not a cursor from a previous page")]
pub struct InvalidPageCursor;

impl From<InvalidPageCursor> for crate::StorageError {
    fn from(_: InvalidPageCursor) -> Self {
        Self::BadCursor
    }
}

/// A part of a list, and how to go on.
#[derive(Clone, Debug)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Opaque; `None` at the end.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// Cuts what was fetched by `PageRequest::fetch` down to the page; `key` is what the order is by.
    pub(crate) fn cut<K: Serialize>(mut rows: Vec<T>, ask: &PageRequest, key: impl Fn(&T) -> K) -> Self {
        let limit = ask.limit.clamp(1, 200) as usize;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = if more { rows.last().map(|row| encode(&key(row))) } else { None };
        Self { items: rows, next }
    }

    /// All rows of a list, of which `list` reads a page.
    pub async fn collect_all<F: Future<Output = crate::Result<Self>>>(
        list: impl Fn(PageRequest) -> F,
    ) -> crate::Result<Vec<T>> {
        let mut all = Vec::new();
        let mut after = None;
        loop {
            let page = list(PageRequest { limit: 200, after }).await?;
            all.extend(page.items);
            after = page.next;
            if after.is_none() {
                return Ok(all);
            }
        }
    }

    /// The same page of something made from the rows.
    pub fn map<U>(self, make: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(make).collect(), next: self.next }
    }
}

fn encode(key: &impl Serialize) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(key).unwrap_or_default())
}

fn decode<K: DeserializeOwned>(text: &str) -> Result<K, InvalidPageCursor> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidPageCursor)?;
    let key: Value = serde_json::from_slice(&bytes).map_err(|_| InvalidPageCursor)?;
    if has_control(&key) {
        return Err(InvalidPageCursor);
    }
    serde_json::from_value(key).map_err(|_| InvalidPageCursor)
}

/// No name holds control characters, and PostgreSQL takes no NUL in any text.
fn has_control(key: &Value) -> bool {
    match key {
        Value::String(text) => text.contains(char::is_control),
        Value::Array(parts) => parts.iter().any(has_control),
        _ => false,
    }
}
