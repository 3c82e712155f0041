//! OpenID Connect: what an ID token must say before somebody is signed in by it (OpenID Connect Core 1.0, 3.1.3.7), and
//! which address is theirs (5.1).

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Deserializer};

use crate::mail::looks_like_mail_address;

/// How far the issuer's clock may be from ours.
const CLOCK_SKEW: Duration = Duration::minutes(1);
/// A token that comes for a code was made a moment ago.
const MAX_AGE: Duration = Duration::minutes(10);
/// Section 2: a subject is of at most so many characters.
const MAX_SUBJECT: usize = 255;

/// What is read of an ID token.
#[derive(Clone, Debug, Deserialize)]
pub struct IdTokenClaims {
    iss: String,
    /// Who it is, at the issuer.
    pub sub: String,
    aud: Audience,
    azp: Option<String>,
    #[serde(deserialize_with = "numeric_date")]
    exp: DateTime<Utc>,
    #[serde(deserialize_with = "numeric_date")]
    iat: DateTime<Utc>,
    nonce: Option<String>,
    /// What it says of their address.
    #[serde(flatten)]
    pub email: EmailClaims,
}

/// One, or a list.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// What an ID token or the userinfo says of an address.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct EmailClaims {
    email: Option<String>,
    #[serde(default, deserialize_with = "flag")]
    email_verified: Option<bool>,
    /// Microsoft Entra: whether the owner of the address's domain was verified. It never says `email_verified`.
    #[serde(default, deserialize_with = "flag")]
    xms_edov: Option<bool>,
}

/// What the ID token is for.
#[derive(Clone, Copy, Debug)]
pub struct ExpectedIdToken<'a> {
    pub issuer: &'a str,
    pub client_id: &'a str,
    /// What was sent with the request.
    pub nonce: &'a str,
    pub now: DateTime<Utc>,
}

/// Why an ID token signs nobody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdTokenFault {
    #[error("it is from another issuer")]
    WrongIssuer,
    #[error("it is for another application")]
    WrongAudience,
    #[error("it has expired")]
    Expired,
    #[error("it was not issued just now")]
    NotJustNow,
    #[error("it belongs to another sign-in")]
    WrongNonce,
    #[error("it names nobody")]
    NoSubject,
}

impl IdTokenClaims {
    /// Holds the token against what was asked for. Its signature is not looked at: it came from the token endpoint itself,
    /// over TLS (3.1.3.7, point 6).
    pub fn verify(&self, expected: &ExpectedIdToken<'_>) -> Result<(), IdTokenFault> {
        if self.iss != expected.issuer {
            return Err(IdTokenFault::WrongIssuer);
        }
        // Others in the audience are applications that we do not trust (point 3).
        let is_ours = match &self.aud {
            Audience::One(only) => only == expected.client_id,
            Audience::Several(all) => matches!(all.as_slice(), [only] if only == expected.client_id),
        };
        if !is_ours || self.azp.as_ref().is_some_and(|party| party != expected.client_id) {
            return Err(IdTokenFault::WrongAudience);
        }
        if self.exp + CLOCK_SKEW <= expected.now {
            return Err(IdTokenFault::Expired);
        }
        let age = expected.now - self.iat;
        if age > MAX_AGE + CLOCK_SKEW || age < -CLOCK_SKEW {
            return Err(IdTokenFault::NotJustNow);
        }
        if self.nonce.as_deref() != Some(expected.nonce) {
            return Err(IdTokenFault::WrongNonce);
        }
        if self.sub.is_empty() || self.sub.chars().count() > MAX_SUBJECT {
            return Err(IdTokenFault::NoSubject);
        }
        Ok(())
    }
}

/// What is known of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimedEmail {
    /// The issuer has made sure that it is theirs.
    Verified(String),
    /// The issuer says that it has not, or it is no address.
    Unverified,
    /// Nothing, here: there may be more elsewhere.
    Unsaid,
}

impl EmailClaims {
    /// The address, as far as these claims of that issuer say.
    pub fn verified(&self, issuer: &str) -> ClaimedEmail {
        let Some(email) = self.email.as_deref().map(str::trim).filter(|email| !email.is_empty()) else {
            return ClaimedEmail::Unsaid;
        };
        let of_entra = self.xms_edov.filter(|_| is_entra(issuer));
        match self.email_verified.or(of_entra) {
            Some(true) if looks_like_mail_address(email) => ClaimedEmail::Verified(email.to_owned()),
            Some(_) => ClaimedEmail::Unverified,
            None => ClaimedEmail::Unsaid,
        }
    }
}

/// The claim is Entra's own: from anybody else it says nothing.
fn is_entra(issuer: &str) -> bool {
    issuer.starts_with("https://login.microsoftonline.com/")
}

/// Seconds since 1970, which may have a fraction (RFC 7519, section 2).
fn numeric_date<'de, D: Deserializer<'de>>(from: D) -> Result<DateTime<Utc>, D::Error> {
    let seconds = f64::deserialize(from)?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "of a fraction nothing follows, and what is too large fits no date"
    )]
    let date = DateTime::from_timestamp(seconds as i64, 0);
    date.ok_or_else(|| serde::de::Error::custom("no date"))
}

/// True and false; some issuers write them as texts, or as 1 and 0.
fn flag<'de, D: Deserializer<'de>>(from: D) -> Result<Option<bool>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Flag {
        Boolean(bool),
        Text(String),
        Number(i64),
    }
    Ok(Option::<Flag>::deserialize(from)?.map(|flag| match flag {
        Flag::Boolean(flag) => flag,
        Flag::Text(text) => matches!(text.as_str(), "true" | "1"),
        Flag::Number(number) => number == 1,
    }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    const ISSUER: &str = "https://login.example.org";
    const NOW: i64 = 1_800_000_000;

    fn good() -> Value {
        json!({ "iss": ISSUER, "sub": "7", "aud": "concord", "exp": NOW + 300, "iat": NOW - 2, "nonce": "n" })
    }

    fn verify(claims: &Value) -> Result<(), IdTokenFault> {
        let claims: IdTokenClaims = serde_json::from_value(claims.clone()).unwrap();
        let now = DateTime::from_timestamp(NOW, 0).unwrap();
        claims.verify(&ExpectedIdToken { issuer: ISSUER, client_id: "concord", nonce: "n", now })
    }

    fn with(name: &str, value: impl Into<Value>) -> Value {
        let mut claims = good();
        claims[name] = value.into();
        claims
    }

    #[test]
    fn id_token_is_for_us_and_from_just_now() {
        for claims in [
            good(),
            with("aud", json!(["concord"])),
            with("azp", "concord"),
            with("exp", NOW - 59),
            with("iat", NOW + 59),
            with("iat", json!(1_799_999_999.25)),
        ] {
            assert_eq!(verify(&claims), Ok(()), "{claims}");
        }
        for (claims, fault) in [
            (with("iss", "https://login.example.org/"), IdTokenFault::WrongIssuer),
            (with("iss", "https://evil.example"), IdTokenFault::WrongIssuer),
            (with("aud", "other"), IdTokenFault::WrongAudience),
            (with("aud", json!([])), IdTokenFault::WrongAudience),
            (with("aud", json!(["concord", "other"])), IdTokenFault::WrongAudience),
            (with("azp", "other"), IdTokenFault::WrongAudience),
            (with("exp", NOW - 60), IdTokenFault::Expired),
            (with("iat", NOW + 61), IdTokenFault::NotJustNow),
            (with("iat", NOW - 661), IdTokenFault::NotJustNow),
            (with("nonce", "other"), IdTokenFault::WrongNonce),
            (with("nonce", Value::Null), IdTokenFault::WrongNonce),
            (with("sub", ""), IdTokenFault::NoSubject),
            (with("sub", "x".repeat(256)), IdTokenFault::NoSubject),
        ] {
            assert_eq!(verify(&claims), Err(fault), "{claims}");
        }
    }

    fn email(claims: &Value, issuer: &str) -> ClaimedEmail {
        serde_json::from_value::<EmailClaims>(claims.clone()).unwrap().verified(issuer)
    }

    #[test]
    fn address_counts_once_its_issuer_has_verified_it() {
        let entra = "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0";
        let verified = || ClaimedEmail::Verified("ana@example.org".to_owned());
        for (claims, issuer, expected) in [
            (json!({ "email": "ana@example.org", "email_verified": true }), ISSUER, verified()),
            (json!({ "email": "ana@example.org", "email_verified": "true" }), ISSUER, verified()),
            (
                json!({ "email": "ana@example.org", "email_verified": false }),
                ISSUER,
                ClaimedEmail::Unverified,
            ),
            (
                json!({ "email": "ana@example.org", "email_verified": "yes" }),
                ISSUER,
                ClaimedEmail::Unverified,
            ),
            (json!({ "email": "ana@example.org" }), ISSUER, ClaimedEmail::Unsaid),
            (json!({ "email": "ana", "email_verified": true }), ISSUER, ClaimedEmail::Unverified),
            (json!({ "email_verified": true }), ISSUER, ClaimedEmail::Unsaid),
            (json!({ "email": "ana@example.org", "xms_edov": true }), ISSUER, ClaimedEmail::Unsaid),
            (json!({ "email": "ana@example.org", "xms_edov": true }), entra, verified()),
            (json!({ "email": "ana@example.org", "xms_edov": 1 }), entra, verified()),
            (json!({ "email": "ana@example.org", "xms_edov": false }), entra, ClaimedEmail::Unverified),
            (
                json!({ "email": "ana@example.org", "email_verified": false, "xms_edov": true }),
                entra,
                ClaimedEmail::Unverified,
            ),
            (json!({}), entra, ClaimedEmail::Unsaid),
        ] {
            assert_eq!(email(&claims, issuer), expected, "{claims}");
        }
    }

    proptest! {
        /// Whatever an issuer sends is refused or understood, and only our own nonce is taken.
        #[test]
        fn no_token_with_another_nonce_is_taken(nonce in any::<String>(), exp in any::<i64>(), iat in any::<i64>()) {
            prop_assume!(nonce != "n");
            let mut claims = with("nonce", nonce);
            claims["exp"] = exp.into();
            claims["iat"] = iat.into();
            if let Ok(claims) = serde_json::from_value::<IdTokenClaims>(claims) {
                let now = DateTime::from_timestamp(NOW, 0).unwrap();
                let expected = ExpectedIdToken { issuer: ISSUER, client_id: "concord", nonce: "n", now };
                prop_assert!(claims.verify(&expected).is_err());
            }
        }
    }
}
