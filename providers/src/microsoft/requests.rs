//! One call to Graph: `graph-rs-sdk` builds it, the shared client sends it.
//!
//! The SDK's own sending is not used: its client is a second pool without limits, follows redirects, and its paging
//! forwards the token to any host. Its `use_endpoint` panics on hosts that it does not know, so addresses are moved to
//! the configured base here.

use bytes::Bytes;
use graph_rs_sdk::{GRAPH_URL, GraphResult, users::CalendarsIdApiClient};
use http::{
    HeaderName, HeaderValue, Request,
    header::{AUTHORIZATION, IF_MATCH, USER_AGENT},
};
use serde::{Deserialize, de::DeserializeOwned};
use url::Url;

use super::{
    MicrosoftCalendar,
    errors::{GraphCallError, json},
    links,
};
use crate::{
    access::{AccountAccess, CalendarAccess},
    error::ProviderError,
    http::BufferedResponse,
};

const PREFER: HeaderName = HeaderName::from_static("prefer");

/// On every call: ids that stay when an entry is moved to another folder, times in one zone, and texts as we write them.
const PREFERENCES: &str = r#"IdType="ImmutableId", outlook.timezone="UTC", outlook.body-content-type="text""#;

/// Entries on a page. More than Graph's default of 10, so that a busy calendar takes few calls; small enough for its
/// time limit with most mailboxes.
pub(super) const PAGE: u32 = 250;

/// A page of a list.
#[derive(Debug, Deserialize)]
pub(super) struct GraphPage<T> {
    pub(super) value: Vec<T>,
    #[serde(default, rename = "@odata.nextLink")]
    pub(super) next_link: Option<String>,
    #[serde(default, rename = "@odata.deltaLink")]
    pub(super) delta_link: Option<String>,
}

/// An id as one segment of a path. `NotFound`: Microsoft's ids are base64 for addresses, so nothing has this one; the SDK
/// would cut it into several segments or drop it.
pub(super) fn segment(id: &str) -> Result<&str, ProviderError> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'=' | b'+');
    (!id.is_empty() && id.bytes().all(fits)).then_some(id).ok_or(ProviderError::NotFound)
}

impl AccountAccess<'_, MicrosoftCalendar> {
    /// Sends what the SDK has built: `self.call(self.provider.graph.me().get_user().build().await)`. An answer that is
    /// no success is a [`GraphCallError::Refused`].
    pub(super) async fn call(
        &self,
        built: GraphResult<reqwest::RequestBuilder>,
    ) -> Result<BufferedResponse, GraphCallError> {
        self.send(self.request(built)?, PAGE).await
    }

    /// The same for a page of at most so many items.
    pub(super) async fn call_for(
        &self,
        built: GraphResult<reqwest::RequestBuilder>,
        page: u32,
    ) -> Result<BufferedResponse, GraphCallError> {
        self.send(self.request(built)?, page).await
    }

    /// The same under the condition that the entry is still at this version.
    pub(super) async fn call_if(
        &self,
        built: GraphResult<reqwest::RequestBuilder>,
        etag: Option<&str>,
    ) -> Result<BufferedResponse, GraphCallError> {
        let mut request = self.request(built)?;
        if let Some(etag) = etag {
            // What cannot be sent as an etag is not the entry's etag either.
            let etag = HeaderValue::from_str(etag).map_err(|_| ProviderError::Precondition)?;
            request.headers_mut().insert(IF_MATCH, etag);
        }
        self.send(request, PAGE).await
    }

    /// A page that another one named. `Transient`: it is not below our base, so nothing was sent.
    pub(super) async fn follow(&self, link: &str, page: u32) -> Result<BufferedResponse, GraphCallError> {
        let url = self.own_link(link)?;
        self.send(get(&url)?, page).await
    }

    /// The link, if it may be followed.
    pub(super) fn own_link(&self, link: &str) -> Result<Url, ProviderError> {
        links::ours(&self.provider.base, link).ok_or_else(|| {
            let place = links::place(link);
            tracing::warn!(place, "Microsoft's response names a page elsewhere, which is not followed");
            ProviderError::Transient("its response leads to another address".to_owned())
        })
    }

    /// All pages of a list. `pages`: the most that it may have; a server that gives page after page must not keep us for
    /// ever.
    pub(super) async fn all<T: DeserializeOwned>(
        &self,
        built: GraphResult<reqwest::RequestBuilder>,
        pages: usize,
    ) -> Result<Vec<T>, GraphCallError> {
        let mut response = self.call(built).await?;
        let mut all = Vec::new();
        for number in 1..=pages {
            let page: GraphPage<T> = json(&response)?;
            all.extend(page.value);
            match page.next_link {
                None => return Ok(all),
                Some(link) if number < pages => {
                    response = self.follow(&link, PAGE).await?;
                }
                Some(_) => break,
            }
        }
        Err(ProviderError::Transient("the list does not end".to_owned()).into())
    }

    fn request(&self, built: GraphResult<reqwest::RequestBuilder>) -> Result<Request<Bytes>, ProviderError> {
        let unsendable = || ProviderError::Rejected("the request cannot be written down".to_owned());
        let built = built.map_err(|_| unsendable())?.build().map_err(|_| unsendable())?;
        let path = built.url().as_str().strip_prefix(GRAPH_URL).ok_or_else(unsendable)?;
        let address = format!("{}{}", self.provider.base, path.trim_start_matches('/'));
        let body = built.body().and_then(reqwest::Body::as_bytes).map(Bytes::copy_from_slice);
        let mut request = Request::new(body.unwrap_or_default());
        *request.method_mut() = built.method().clone();
        *request.uri_mut() = address.parse().map_err(|_| unsendable())?;
        *request.headers_mut() = built.headers().clone();
        // The shared client says who we are.
        request.headers_mut().remove(USER_AGENT);
        Ok(request)
    }

    async fn send(&self, mut request: Request<Bytes>, page: u32) -> Result<BufferedResponse, GraphCallError> {
        let bearer = self.credentials.bearer()?;
        let preferences = format!("{PREFERENCES}, odata.maxpagesize={page}");
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, bearer.clone());
        headers.insert(
            PREFER,
            HeaderValue::from_str(&preferences)
                .map_err(|_| ProviderError::Rejected("the request cannot be written down".to_owned()))?,
        );
        let place = self.provider.mailboxes.place(&bearer).await?;
        let response = self.provider.http.call(request, &self.provider.clock).await;
        drop(place);
        response
    }
}

impl CalendarAccess<'_, MicrosoftCalendar> {
    /// What the SDK asks of this calendar.
    pub(super) fn graph(&self) -> Result<CalendarsIdApiClient, ProviderError> {
        Ok(self.account.provider.graph.me().calendar(segment(self.calendar)?))
    }
}

fn get(url: &Url) -> Result<Request<Bytes>, ProviderError> {
    let request = Request::get(url.as_str()).body(Bytes::new());
    request.map_err(|_| ProviderError::Transient("its response leads to no address".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_are_more_than_one_segment_are_nowhere() {
        for id in ["AAMkADk0MGFk-NjUz_BGAAAAAADq=", "AAkALgAAAAA+", "7e163156-7762-4beb-a1c6-729ea81755a7"] {
            assert_eq!(segment(id).unwrap(), id);
        }
        for nowhere in
            ["", ".", "..", "a/b", "a%2Fb", "a?b", "a#b", "a b", "a\nb", "{{RID}}", "ümläut", "&lt;"]
        {
            assert!(matches!(segment(nowhere), Err(ProviderError::NotFound)), "{nowhere:?}");
        }
    }
}
