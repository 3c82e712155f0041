//! The signature of Standard Webhooks 1.0.0 ("Signature scheme": symmetric, `v1`), by which we sign what we send and believe
//! what channel managers send.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// So many signatures of a message are looked at.
const MAX_SIGNATURES: usize = 10;

/// Of the message's id, its time in seconds, and its body byte by byte; `None`: the secret is none.
fn mac(secret: &SecretString, (id, timestamp): (&str, &str), body: &[u8]) -> Option<Hmac<Sha256>> {
    let key = STANDARD.decode(secret.expose_secret().strip_prefix("whsec_")?).ok()?;
    let mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    let mac = mac.chain_update(id).chain_update(".").chain_update(timestamp).chain_update(".");
    Some(mac.chain_update(body))
}

/// `v1,` and the base64 of the HMAC-SHA-256; `None`: the secret is none.
pub(crate) fn signature(secret: &SecretString, message: (&str, &str), body: &[u8]) -> Option<String> {
    let signed = mac(secret, message, body)?.finalize();
    Some(format!("v1,{}", STANDARD.encode(signed.into_bytes())))
}

/// Whether one of `signatures`, which stand with spaces between, is right: while a key is changed a sender may sign with both.
/// Compares in constant time.
pub(crate) fn is_signed(secret: &SecretString, message: (&str, &str), body: &[u8], signatures: &str) -> bool {
    let Some(mac) = mac(secret, message, body) else { return false };
    signatures
        .split_ascii_whitespace()
        .filter_map(|one| one.strip_prefix("v1,"))
        .take(MAX_SIGNATURES)
        .filter_map(|signature| STANDARD.decode(signature).ok())
        .any(|signature| mac.clone().verify_slice(&signature).is_ok())
}
