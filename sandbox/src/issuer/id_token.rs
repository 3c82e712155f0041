//! ID tokens, signed by ES256 (RFC 7518, section 3.4).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};

const KEY_ID: &str = "sandbox-1";

/// The issuer's key; a new one at each start.
pub(super) struct SigningKey(EcdsaKeyPair);

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey").finish_non_exhaustive()
    }
}

impl SigningKey {
    #[expect(clippy::expect_used, reason = "the sandbox is of no use without randomness")]
    pub(super) fn generate() -> Self {
        let (random, algorithm) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("a key is made");
        Self(EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).expect("it can be read"))
    }

    /// What clients check signatures with (RFC 7517).
    pub(super) fn jwks(&self) -> Value {
        // Uncompressed: 4, x, y.
        let point = self.0.public_key().as_ref();
        let [x, y] = [&point[1..33], &point[33..]].map(|part| URL_SAFE_NO_PAD.encode(part));
        json!({ "keys": [
            { "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": KEY_ID, "x": x, "y": y }
        ] })
    }

    /// A token that says `claims`.
    #[expect(clippy::expect_used, reason = "the sandbox is of no use without randomness")]
    pub(super) fn sign(&self, claims: &Value) -> String {
        let header = json!({ "alg": "ES256", "typ": "JWT", "kid": KEY_ID });
        let [header, claims] = [&header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let signed = format!("{header}.{claims}");
        let signature = self.0.sign(&SystemRandom::new(), signed.as_bytes()).expect("it is signed");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}
