//! `[sign_in]`: other ways to sign in than a mailed link.

use concord_providers::oidc::is_protected;
use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use super::{check::SectionFaults, units};

/// Other ways to sign in than a mailed link.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignInConfig {
    pub oidc: OidcConfig,
}

/// Signing in with an account of somebody else's, by OpenID Connect; off while there is no issuer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OidcConfig {
    /// Exactly as the issuer calls itself in its discovery document.
    pub issuer: String,
    /// As registered with the issuer.
    pub client_id: String,
    /// As registered with the issuer.
    #[serde(deserialize_with = "units::optional")]
    pub client_secret: Option<SecretString>,
    /// What the button says after "Continue with".
    pub name: String,
}

impl OidcConfig {
    /// Issuer, client id and secret, if it is set up.
    pub fn credentials(&self) -> Option<(&str, &str, &SecretString)> {
        let secret = self.client_secret.as_ref()?;
        let is_set = !self.issuer.is_empty() && !self.client_id.is_empty();
        is_set.then_some((&self.issuer, &self.client_id, secret))
    }

    fn validate(&self, check: &mut SectionFaults) {
        let set = [
            ("issuer", !self.issuer.is_empty()),
            ("client_id", !self.client_id.is_empty()),
            ("client_secret", self.client_secret.is_some()),
        ];
        if set.iter().any(|(_, is_set)| *is_set) {
            for (key, _) in set.iter().filter(|(_, is_set)| !is_set) {
                check.add(key, "is missing: issuer, client_id and client_secret belong together");
            }
        }
        let is_issuer = |url: &Url| is_protected(url) && url.query().is_none() && url.fragment().is_none();
        if !self.issuer.is_empty() && !self.issuer.parse().is_ok_and(|url| is_issuer(&url)) {
            check.add("issuer", "must be an https:// address without ? and #, as the issuer calls itself");
        }
        let length = self.name.chars().count();
        if length == 0 || length > 40 || self.name.chars().any(char::is_control) {
            check.add("name", "must be one line of 1 to 40 characters");
        }
    }
}

impl SignInConfig {
    pub(super) fn validate(&self, check: &mut SectionFaults) {
        self.oidc.validate(check.of("sign_in.oidc"));
    }
}
