//! What the providers' consent pages share: their form, and a consent on its way to a code.

use std::collections::HashMap;
use std::fmt::Write;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use chrono::Duration;
use url::Url;

use crate::clock;
use crate::html::{document, escape};
use crate::store::{
    AuthorizationCodeRecord, CODE_LIFETIME_SECONDS, PkceChallenge, ProviderStore, StoreError, StoreRecord,
    secret,
};

/// A request for consent that is in order.
pub(crate) struct ConsentRequest<'a> {
    pub(crate) client: &'a str,
    pub(crate) redirect_uri: Url,
    pub(crate) scopes: Vec<&'a str>,
    pub(crate) challenge: Option<PkceChallenge>,
    pub(crate) parameters: &'a HashMap<String, String>,
}

/// Why no consent can be asked for. It is shown to the person: a redirect address that is not trusted gets nothing.
pub(crate) struct ConsentRefusal {
    pub(crate) title: &'static str,
    pub(crate) heading: &'static str,
    pub(crate) sentence: String,
    /// What is in it for developers.
    pub(crate) code: String,
}

impl IntoResponse for ConsentRefusal {
    fn into_response(self) -> Response {
        let body = format!(
            "<main><h1>{}</h1><p>{}</p><p class=\"quiet\">{}</p></main>",
            self.heading,
            escape(&self.sentence),
            escape(&self.code)
        );
        (StatusCode::BAD_REQUEST, Html(document(self.title, "narrow", &body))).into_response()
    }
}

/// What a provider's page says, and where its form goes.
pub(crate) struct ConsentWording<'a> {
    pub(crate) provider: &'static str,
    pub(crate) heading: &'static str,
    /// Where the form goes, safe in an attribute.
    pub(crate) action: &'a str,
    /// The parameters that come back with the decision.
    pub(crate) forwarded: &'static [&'static str],
    pub(crate) wants: &'static str,
    /// What a scope lets the application do; `None` if there is no such scope.
    pub(crate) describe: fn(&str) -> Option<&'static str>,
    pub(crate) allow: &'static str,
    pub(crate) deny: &'static str,
    /// HTML below the two decisions that every provider has.
    pub(crate) more: &'static str,
}

impl ConsentRequest<'_> {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }

    /// The account that the person has chosen, if there is such a one.
    pub(crate) fn account(&self, store: &ProviderStore) -> Option<&str> {
        self.get("account").filter(|account| store.accounts.contains_key(*account))
    }

    /// The page on which a person chooses one of the accounts and decides.
    pub(crate) fn page(&self, store: &ProviderStore, wording: &ConsentWording<'_>) -> Response {
        let ConsentWording { provider, heading, action, wants, allow, deny, more, .. } = wording;
        let body = format!(
            "<main><p class=\"mark\">Sandbox sign-in: simulates {provider}’s consent page</p>\
             <h1>{heading}</h1>\
             <p><b>{client}</b> at <b>{host}</b> asks for access. This is a simulation: no real account is affected.</p>\
             <form method=\"post\" action=\"{action}\">{hidden}\
             <fieldset><legend>Account</legend>{choices}</fieldset>\
             <h2>{wants}</h2><ul class=\"scopes\">{scopes}</ul>\
             <div class=\"actions\"><button class=\"primary\" name=\"decision\" value=\"allow\">{allow}</button>\
             <button name=\"decision\" value=\"deny\" formnovalidate>{deny}</button></div>{more}</form></main>",
            client = escape(self.client),
            host = escape(self.redirect_uri.host_str().unwrap_or_default()),
            hidden = hidden(wording.forwarded, self.parameters),
            choices = choices(store, self.get("login_hint").unwrap_or_default()),
            scopes = scope_items(self.scopes.iter().filter_map(|scope| (wording.describe)(scope))),
        );
        Html(document("Sign in to the sandbox", "narrow", &body)).into_response()
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
        redirect(&self.redirect_uri, pairs, self.get("state"))
    }
}

/// Sends the browser back to the application at `url`, with `pairs` and then the `state` that it gave; `None` if the address
/// cannot stand in a header.
pub(crate) fn redirect(url: &Url, pairs: &[(&str, &str)], state: Option<&str>) -> Option<Response> {
    let mut url = url.clone();
    url.query_pairs_mut().extend_pairs(pairs).extend_pairs(state.map(|state| ("state", state)));
    let location = HeaderValue::from_str(url.as_str()).ok()?;
    Some((StatusCode::FOUND, [(header::LOCATION, location)]).into_response())
}

/// What `parameters` say of `name`; to say nothing is as good as not to name it.
pub(crate) fn parameter<'a>(parameters: &'a HashMap<String, String>, name: &str) -> Option<&'a str> {
    parameters.get(name).map(String::as_str).filter(|value| !value.is_empty())
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
fn choices(store: &ProviderStore, hint: &str) -> String {
    let preselected = store.accounts.keys().position(|email| email.eq_ignore_ascii_case(hint)).unwrap_or(0);
    let mut choices = String::new();
    for (index, account) in store.accounts.values().enumerate() {
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
fn scope_items<'a>(says: impl Iterator<Item = &'a str>) -> String {
    says.fold(String::new(), |mut items, says| {
        let _infallible = write!(items, "<li>{}</li>", escape(says));
        items
    })
}

/// Hidden fields of a form for those of `names` that `parameters` have: they come back with the decision.
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
