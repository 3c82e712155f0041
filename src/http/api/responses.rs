//! Pieces that several answers share: pages of lists.

use concord_storage::{Page, PageRequest};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::problem::ApiError;

/// A page of a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Listing<T> {
    /// The items of this page.
    pub items: Vec<T>,
    /// Send as `cursor` to get the next page; null on the last page.
    pub next_cursor: Option<String>,
}

impl<T> Listing<T> {
    /// A list that is always given whole.
    pub(crate) fn complete(items: Vec<T>) -> Self {
        Self { items, next_cursor: None }
    }

    /// A page of what `make` turns the rows into.
    pub(crate) fn from_page<R>(page: Page<R>, make: impl FnMut(R) -> T) -> Self {
        let page = page.map(make);
        Self { items: page.items, next_cursor: page.next }
    }
}

/// The largest page.
const MAX_LIMIT: u32 = 200;

/// Which page is asked for: `limit` 1 to 200, 50 if it is not said.
pub(crate) fn page_request(limit: Option<u32>, cursor: Option<String>) -> Result<PageRequest, ApiError> {
    let limit = limit.unwrap_or(50);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(ApiError::invalid("limit", format!("must be between 1 and {MAX_LIMIT}")));
    }
    Ok(PageRequest { limit, after: cursor })
}

/// Pagination.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Paging {
    /// Page size, 1 to 200; default 50.
    pub limit: Option<u32>,
    /// `next_cursor` of the previous page.
    pub cursor: Option<String>,
}

impl Paging {
    /// For `storage`.
    pub(crate) fn page_request(self) -> Result<PageRequest, ApiError> {
        page_request(self.limit, self.cursor)
    }
}
