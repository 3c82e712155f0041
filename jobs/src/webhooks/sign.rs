//! The headers by which a receiver knows that a message is ours.

use chrono::{DateTime, Utc};
use concord_domain::ids::EventId;
use http::{HeaderMap, HeaderName, HeaderValue, header::CONTENT_TYPE};
use secrecy::SecretString;

use crate::standard_webhooks::signature;

/// The headers of a message: its id, the time of the attempt, and a signature by each secret. The message's `body` is signed
/// byte by byte.
pub(super) fn signed_headers(
    id: EventId,
    at: DateTime<Utc>,
    body: &[u8],
    secrets: &[SecretString],
) -> HeaderMap {
    let (id, timestamp) = (id.to_string(), at.timestamp().to_string());
    let signatures: Vec<String> =
        secrets.iter().filter_map(|secret| signature(secret, (&id, &timestamp), body)).collect();
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in
        [("webhook-id", id), ("webhook-timestamp", timestamp), ("webhook-signature", signatures.join(" "))]
    {
        // Digits, hyphens and base64 are what a header may say.
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use concord_domain::clock::Clock;
    use concord_storage::secret;
    use secrecy::ExposeSecret;
    use standardwebhooks::Webhook;

    use super::*;

    fn sent(at: DateTime<Utc>, body: &str, secrets: &[SecretString]) -> HeaderMap {
        signed_headers(EventId(uuid::Uuid::from_u128(7)), at, body.as_bytes(), secrets)
    }

    #[test]
    fn known_message_has_the_known_signature() {
        // The vector of the reference libraries.
        let secret = SecretString::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let signed =
            signature(&secret, ("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330"), br#"{"test": 2432232314}"#);
        assert_eq!(signed.as_deref(), Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
    }

    #[test]
    fn reference_library_takes_what_we_sign_and_nothing_else() {
        let now = Clock::system().now();
        let secrets = [secret::new_signing_secret(), secret::new_signing_secret()];
        let body = r#"{"name":"Zoë 🛶 \"Z\""}"#;
        let headers = sent(now, body, &secrets);
        for secret in &secrets {
            let reference = Webhook::new(secret.expose_secret()).unwrap();
            reference.verify(body.as_bytes(), &headers).unwrap();
            assert!(reference.verify(format!("{body} ").as_bytes(), &headers).is_err(), "another body");
            let old = sent(now - chrono::Duration::minutes(6), body, &secrets);
            assert!(reference.verify(body.as_bytes(), &old).is_err(), "too old");
            let mut other = headers.clone();
            other.insert("webhook-id", HeaderValue::from_static("msg_other"));
            assert!(reference.verify(body.as_bytes(), &other).is_err(), "another id");
        }
        let stranger = Webhook::new(secret::new_signing_secret().expose_secret()).unwrap();
        assert!(stranger.verify(body.as_bytes(), &headers).is_err());
    }

    #[test]
    fn what_is_no_secret_signs_nothing() {
        for bad in ["", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_!"] {
            let signed = signature(&SecretString::from(bad), ("id", "1"), b"{}");
            assert!(bad == "whsec_" || signed.is_none(), "{bad}");
        }
    }
}
