//! Where an issuer's endpoints are (OpenID Connect Discovery 1.0, section 4).

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Duration, Utc};
use http::{Request, header::ACCEPT};
use serde::Deserialize;
use url::{Host, Url};

use super::OidcError;
use crate::http::HttpClient;

/// How long a document is believed.
const KEPT_FOR: Duration = Duration::hours(1);
/// After a failure nobody asks for so long: whoever opens the page again and again asks once.
const RETRY_AFTER: Duration = Duration::seconds(5);

/// What is read of an issuer's document.
#[derive(Debug, Deserialize)]
pub struct Discovery {
    issuer: String,
    pub(super) authorization_endpoint: Url,
    pub(super) token_endpoint: Url,
    userinfo_endpoint: Option<Url>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl Discovery {
    /// Whether the client's secret goes into the header: what holds where nothing is said (section 3), and what any issuer
    /// knows. Else it goes into the form.
    pub(super) fn takes_basic(&self) -> bool {
        let named = self.token_endpoint_auth_methods_supported.as_ref();
        named.is_none_or(|methods| methods.iter().any(|method| method == "client_secret_basic"))
    }

    /// Whether each callback says from whom it is (RFC 9207, section 3).
    pub(super) fn names_issuer_in_callback(&self) -> bool {
        self.authorization_response_iss_parameter_supported
    }

    pub(super) fn userinfo(&self) -> Option<&Url> {
        self.userinfo_endpoint.as_ref()
    }

    /// Section 4.3: it is the issuer's own; and secrets go over TLS alone.
    fn check(self, issuer: &str) -> Result<Self, String> {
        if self.issuer != issuer {
            let named = crate::quote::quote(&self.issuer, &[]);
            return Err(format!(
                "the issuer calls itself {named}; sign_in.oidc.issuer must be exactly that, with or without a slash at its end"
            ));
        }
        let all =
            [Some(&self.authorization_endpoint), Some(&self.token_endpoint), self.userinfo_endpoint.as_ref()];
        let open = all.into_iter().flatten().find(|url| !is_protected(url));
        if let Some(host) = open.map(|url| url.host_str().unwrap_or_default()) {
            return Err(format!("its discovery document names an address at {host} that is not https"));
        }
        Ok(self)
    }
}

/// Whether what is sent there cannot be read or changed on its way: over TLS, or not leaving this machine.
pub fn is_protected(url: &Url) -> bool {
    let is_here = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && is_here)
}

pub(super) async fn read(http: &HttpClient, issuer: &str) -> Result<Discovery, String> {
    let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let request = Request::get(url).header(ACCEPT, "application/json").body(Bytes::new());
    let request = request.map_err(|_| "its address cannot be called".to_owned())?;
    let response = http.send(request).await.map_err(|error| error.to_string())?;
    if !response.status.is_success() {
        return Err(format!("its discovery document answers {}", response.status.as_u16()));
    }
    let document: Discovery = serde_json::from_slice(&response.body).map_err(|error| {
        format!("its discovery document is {}", crate::quote::describe_json_error(&error))
    })?;
    document.check(issuer)
}

/// The document, or why there is none.
type ReadDiscovery = Result<Arc<Discovery>, String>;

/// What was read, and when.
#[derive(Debug, Default)]
pub(super) struct DiscoveryCache(Option<(ReadDiscovery, DateTime<Utc>)>);

impl DiscoveryCache {
    pub(super) fn get(&self, now: DateTime<Utc>) -> Option<Result<Arc<Discovery>, OidcError>> {
        let (known, at) = self.0.as_ref()?;
        let lasts = if known.is_ok() { KEPT_FOR } else { RETRY_AFTER };
        (now - *at < lasts).then(|| known.clone().map_err(OidcError::Unavailable))
    }

    pub(super) fn put(
        &mut self,
        read: Result<Discovery, String>,
        now: DateTime<Utc>,
    ) -> Result<Arc<Discovery>, OidcError> {
        let read = read.map(Arc::new);
        self.0 = Some((read.clone(), now));
        read.map_err(OidcError::Unavailable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(issuer: &str, token: &str) -> Discovery {
        let text = format!(
            r#"{{"issuer":"{issuer}","authorization_endpoint":"https://login.example/auth","token_endpoint":"{token}"}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn document_is_its_issuers_own_and_leads_over_tls() {
        let check = |issuer, token| document(issuer, token).check("https://login.example").map(drop);
        assert_eq!(check("https://login.example", "https://login.example/token"), Ok(()));
        assert_eq!(check("https://login.example", "http://127.0.0.1:9/token"), Ok(()));
        let other = check("https://login.example/", "https://login.example/token").unwrap_err();
        assert!(other.contains("calls itself https://login.example/;"), "{other}");
        let plain = check("https://login.example", "http://login.example/token").unwrap_err();
        assert!(plain.contains("not https"), "{plain}");
        for (url, protected) in [
            ("http://localhost/", true),
            ("http://[::1]/", true),
            ("http://10.0.0.1/", false),
            ("ftp://a/", false),
        ] {
            assert_eq!(is_protected(&url.parse().unwrap()), protected, "{url}");
        }
    }

    #[test]
    fn secret_goes_as_the_issuer_takes_it() {
        let mut document = document("https://login.example", "https://login.example/token");
        assert!(document.takes_basic() && document.userinfo().is_none());
        document.token_endpoint_auth_methods_supported = Some(vec!["client_secret_post".to_owned()]);
        assert!(!document.takes_basic());
    }

    #[test]
    fn failure_is_kept_for_moments_and_a_document_for_an_hour() {
        let now = DateTime::UNIX_EPOCH;
        let mut cache = DiscoveryCache::default();
        assert!(cache.get(now).is_none());
        assert!(cache.put(Err("away".to_owned()), now).is_err());
        assert!(cache.get(now + Duration::seconds(4)).unwrap().is_err());
        assert!(cache.get(now + Duration::seconds(5)).is_none());
        let read = document("https://login.example", "https://login.example/token");
        assert!(cache.put(Ok(read), now).is_ok());
        assert!(cache.get(now + Duration::minutes(59)).unwrap().is_ok());
        assert!(cache.get(now + Duration::minutes(60)).is_none());
    }
}
