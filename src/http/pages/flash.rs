//! The line that says what an action came to, on the page after it: kept by the browser for a minute, with a mark of
//! the session on it, so that nobody else can put words into our mouth. It holds no secret.

use axum::http::{HeaderMap, HeaderValue};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use super::cookies::{cookie, read_cookie};
use super::{SessionToken, Tone};
use crate::app::App;

const COOKIE: &str = "concord_flash";
const COOKIE_SECONDS: u64 = 60;
/// Browsers keep 4,096 bytes a cookie.
const MAX_CHARACTERS: usize = 600;

/// What an action came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Flash {
    /// How well it went.
    pub tone: Tone,
    pub text: String,
    /// How to take it back, where that can be done.
    pub undo: Option<UndoForm>,
}

/// A form that takes an action back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UndoForm {
    /// Where it is sent.
    pub path: String,
    pub fields: Vec<(String, String)>,
}

impl Flash {
    pub(crate) fn success(text: impl Into<String>) -> Self {
        Self::new(Tone::Good, text)
    }

    pub(crate) fn failure(text: impl Into<String>) -> Self {
        Self::new(Tone::Wrong, text)
    }

    /// Nothing to be glad or sorry about.
    pub(crate) fn information(text: impl Into<String>) -> Self {
        Self::new(Tone::Information, text)
    }

    fn new(tone: Tone, text: impl Into<String>) -> Self {
        let text: String = text.into();
        let text = match text.char_indices().nth(MAX_CHARACTERS) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        };
        Self { tone, text, undo: None }
    }

    /// With the form that takes it back.
    pub(crate) fn with_undo(self, path: String, fields: &[(&str, String)]) -> Self {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        Self { undo: Some(UndoForm { path, fields }), ..self }
    }

    pub(super) fn cookie(&self, app: &App, token: &SessionToken) -> HeaderValue {
        cookie(app, COOKIE, &self.signed(token), COOKIE_SECONDS)
    }

    pub(super) fn removal_cookie(app: &App) -> HeaderValue {
        cookie(app, COOKIE, "", 0)
    }

    /// What the browser kept, if it is ours.
    pub(super) fn from_headers(headers: &HeaderMap, token: &SessionToken) -> Option<Self> {
        Self::verified(&read_cookie(headers, COOKIE)?, token)
    }

    fn signed(&self, token: &SessionToken) -> String {
        let json = serde_json::to_vec(self).unwrap_or_default();
        format!("{}.{}", URL_SAFE_NO_PAD.encode(&json), token.sign("flash", &json))
    }

    fn verified(text: &str, token: &SessionToken) -> Option<Self> {
        let (body, mark) = text.split_once('.')?;
        let json = URL_SAFE_NO_PAD.decode(body).ok()?;
        token.verify("flash", &json, mark).then(|| serde_json::from_slice(&json).ok()).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_ours_comes_back() {
        let token = SessionToken::new();
        let flash = Flash::success("Booking B-1 was cancelled.")
            .with_undo("/bookings/B-1/restore".to_owned(), &[("version", "3".to_owned())]);
        let text = flash.signed(&token);
        assert_eq!(Flash::verified(&text, &token), Some(flash));
        assert_eq!(Flash::verified(&text, &SessionToken::new()), None);
        assert_eq!(Flash::verified(&text[1..], &token), None);
        assert_eq!(Flash::verified("", &token), None);
    }

    #[test]
    fn a_long_story_fits_a_cookie() {
        let flash = Flash::failure("ä".repeat(10_000));
        assert!(flash.signed(&SessionToken::new()).len() < 4_000);
    }
}
