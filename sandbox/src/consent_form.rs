//! What the providers' consent pages share: their form, and a consent on its way to a code.

use std::collections::HashMap;
use std::fmt::Write;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::Duration;
use url::Url;

use crate::clock;
use crate::html::escape;
use crate::store::{
    AuthorizationCodeRecord, CODE_LIFETIME_SECONDS, PkceChallenge, ProviderStore, StoreError, StoreRecord,
    StoredAccount, secret,
};

/// A request for consent that is in order.
pub(crate) struct ConsentRequest<'a> {
    pub(crate) client: &'a str,
    pub(crate) redirect_uri: Url,
    pub(crate) scopes: Vec<&'a str>,
    pub(crate) challenge: Option<PkceChallenge>,
    pub(crate) parameters: &'a HashMap<String, String>,
}

impl ConsentRequest<'_> {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }

    /// Writes the consent down as a code that the application can redeem; it begins with `prefix`.
    ///
    /// # Errors
    /// `Unwritten`.
    pub(crate) fn store_code(
        &self,
        store: &mut ProviderStore,
        account: &str,
        (prefix, offline): (&str, bool),
    ) -> Result<String, StoreError> {
        let code = AuthorizationCodeRecord {
            text: format!("{prefix}{}", secret()),
            account: account.into(),
            client: self.client.into(),
            redirect_uri: self.get("redirect_uri").unwrap_or_default().into(),
            scope: self.scopes.join(" "),
            challenge: self.challenge.clone(),
            offline,
            expires_at: clock::now() + Duration::seconds(CODE_LIFETIME_SECONDS),
            used: false,
        };
        let text = code.text.clone();
        store.commit(vec![StoreRecord::Code { code }])?;
        Ok(text)
    }

    /// Sends the browser back to the application; `None` if its address cannot stand in a header.
    pub(crate) fn redirect(&self, pairs: &[(&str, &str)]) -> Option<Response> {
        let mut url = self.redirect_uri.clone();
        url.query_pairs_mut()
            .extend_pairs(pairs)
            .extend_pairs(self.get("state").map(|state| ("state", state)));
        let location = HeaderValue::from_str(url.as_str()).ok()?;
        Some((StatusCode::FOUND, [(header::LOCATION, location)]).into_response())
    }
}

/// The address to which the browser goes back, if it is one of the web.
pub(crate) fn redirect_uri(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))
}

/// The challenge (RFC 7636, 4.3); `None` if it is not made by S256.
pub(crate) fn challenge(value: &str, method: Option<&str>) -> Option<PkceChallenge> {
    (method == Some("S256")).then(|| PkceChallenge { value: value.into() })
}

/// The accounts to choose from; the one that `hint` names is chosen, or else the first.
pub(crate) fn choices(accounts: &[StoredAccount], hint: &str) -> String {
    let preselected = accounts.iter().position(|one| one.email.eq_ignore_ascii_case(hint)).unwrap_or(0);
    let mut choices = String::new();
    for (index, account) in accounts.iter().enumerate() {
        let (email, name) = (escape(&account.email), escape(&account.name));
        let checked = if index == preselected { " checked" } else { "" };
        let _infallible = write!(
            choices,
            "<label class=\"choice\"><input type=\"radio\" name=\"account\" value=\"{email}\"{checked} required>\
             <span><b>{name}</b><small>{email}</small></span></label>"
        );
    }
    choices
}

/// What the application will be able to do.
pub(crate) fn wants<'a>(says: impl Iterator<Item = &'a str>) -> String {
    says.fold(String::new(), |mut wants, says| {
        let _infallible = write!(wants, "<li>{}</li>", escape(says));
        wants
    })
}

/// The parameters that come back with the decision.
pub(crate) fn hidden(names: &[&str], parameters: &HashMap<String, String>) -> String {
    let mut hidden = String::new();
    for name in names {
        if let Some(value) = parameters.get(*name) {
            let value = escape(value);
            let _infallible = write!(hidden, "<input type=\"hidden\" name=\"{name}\" value=\"{value}\">");
        }
    }
    hidden
}
