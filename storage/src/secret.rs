//! Random tokens, and the digests that are stored in their place.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use rand::{TryRngCore, rngs::OsRng};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// A new token of 256 random bits, with a prefix that tells people and secret scanners what it is.
///
/// # Panics
/// If the operating system has no randomness to give, in which case nothing secret may be made.
pub fn new_token(prefix: &str) -> SecretString {
    let mut bytes = [0_u8; 32];
    fill_random(&mut bytes);
    SecretString::from(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes)))
}

/// A new key of 256 random bits that signs webhooks, as Standard Webhooks writes it: `whsec_` and base64.
pub fn new_signing_secret() -> SecretString {
    let mut bytes = [0_u8; 32];
    fill_random(&mut bytes);
    SecretString::from(format!("whsec_{}", STANDARD.encode(bytes)))
}

/// Fills `bytes` from the operating system.
///
/// # Panics
/// As `new_token`.
#[expect(
    clippy::expect_used,
    reason = "without randomness no secret may be made; there is nothing to fall back to"
)]
pub fn fill_random(bytes: &mut [u8]) {
    OsRng.try_fill_bytes(bytes).expect("the operating system gives random bytes");
}

/// What is stored in a token's place. Tokens have 256 random bits, so one round of SHA-256 is enough and a lookup by
/// the digest leaks nothing by its timing.
pub fn digest(token: &SecretString) -> String {
    digest_bytes(token.expose_secret().as_bytes())
}

/// The SHA-256 of anything, in hexadecimal.
pub fn digest_bytes(bytes: &[u8]) -> String {
    concord_domain::hex(Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ_and_digests_hide_them() {
        let (first, second) = (new_token("ck_"), new_token("ck_"));
        assert_ne!(first.expose_secret(), second.expose_secret());
        assert_eq!(first.expose_secret().len(), 46);
        assert_eq!(digest(&first), digest(&first));
        assert!(!digest(&first).contains(&first.expose_secret()[3..]));
        assert!(!format!("{first:?}").contains(&first.expose_secret()[3..]));
    }
}
