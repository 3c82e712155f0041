//! Secrets at rest: XChaCha20-Poly1305, a random nonce, the row's identity as associated data, a key id for rotation.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305,
    aead::{Aead, Payload},
};
use secrecy::{ExposeSecret, SecretBox, SecretString};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{Result, StorageError, secret};

const VERSION: &str = "s1";
const NONCE_BYTES: usize = 24;

/// A key of 256 bits that seals all secrets of the installation.
pub struct MasterKey {
    id: String,
    key: SecretBox<[u8; 32]>,
}

/// Why a text is no master key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a master key is 32 bytes in base64, as `concord keys generate` or `openssl rand -base64 32` prints")]
pub struct InvalidMasterKey;

impl MasterKey {
    /// A new random key.
    pub fn generate() -> Self {
        let mut bytes = [0_u8; 32];
        secret::fill_random(&mut bytes);
        Self::new(bytes)
    }

    /// Reads the form that `to_base64` gives.
    pub fn from_base64(text: &SecretString) -> Result<Self, InvalidMasterKey> {
        let bytes = STANDARD.decode(text.expose_secret().trim()).map_err(|_| InvalidMasterKey)?;
        Ok(Self::new(bytes.try_into().map_err(|_| InvalidMasterKey)?))
    }

    fn new(bytes: [u8; 32]) -> Self {
        let id = concord_domain::hex(&Sha256::digest(bytes)[..4]);
        Self { id, key: SecretBox::new(Box::new(bytes)) }
    }

    /// The form for a file or an environment variable.
    pub fn to_base64(&self) -> SecretString {
        SecretString::from(STANDARD.encode(self.key.expose_secret()))
    }

    /// Eight hexadecimal digits that tell keys apart and say nothing about them.
    pub fn id(&self) -> &str {
        &self.id
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(self.key.expose_secret().into())
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.id)
    }
}

/// What a secret belongs to: sealed for one row and column, it opens nowhere else.
#[derive(Clone, Copy, Debug)]
pub struct AssociatedData {
    pub column: &'static str,
    pub row: Uuid,
}

/// The key that seals, and those that still open what was sealed before a rotation.
#[derive(Debug)]
pub struct Keyring {
    current: MasterKey,
    previous: Vec<MasterKey>,
}

impl Keyring {
    /// Seals with `current`; opens with all.
    pub fn new(current: MasterKey, previous: Vec<MasterKey>) -> Self {
        Self { current, previous }
    }

    /// The id of the key that seals.
    pub fn current_id(&self) -> &str {
        self.current.id()
    }

    /// The stored form: `s1.<key id>.<base64 of nonce and ciphertext>`.
    pub fn seal(&self, secret_text: &SecretString, place: AssociatedData) -> String {
        let mut nonce = [0_u8; NONCE_BYTES];
        secret::fill_random(&mut nonce);
        let associated = encode_associated_data(place);
        let payload = Payload { msg: secret_text.expose_secret().as_bytes(), aad: &associated };
        #[expect(clippy::expect_used, reason = "encryption fails only for messages beyond 256 GB")]
        let sealed = self.current.cipher().encrypt((&nonce).into(), payload).expect("a token is short");
        let mut bytes = nonce.to_vec();
        bytes.extend(sealed);
        format!("{VERSION}.{}.{}", self.current.id, STANDARD.encode(bytes))
    }

    /// The secret again. `Sealed` when no key of the ring opens it, or it was sealed for another place.
    pub fn open(&self, sealed: &str, place: AssociatedData) -> Result<SecretString> {
        let key_id = key_id(sealed).unwrap_or("unknown");
        let refused = || StorageError::Sealed { key_id: key_id.to_owned() };
        let key = std::iter::once(&self.current)
            .chain(&self.previous)
            .find(|key| key.id == key_id)
            .ok_or_else(refused)?;
        let encoded = sealed.rsplit('.').next().unwrap_or_default();
        let bytes = STANDARD.decode(encoded).map_err(|_| refused())?;
        let (nonce, text) = bytes.split_at_checked(NONCE_BYTES).ok_or_else(refused)?;
        let payload = Payload { msg: text, aad: &encode_associated_data(place) };
        let plain = key.cipher().decrypt(nonce.into(), payload).map_err(|_| refused())?;
        String::from_utf8(plain).map(SecretString::from).map_err(|_| refused())
    }

    /// Whether it was sealed with the current key; if not, `concord keys rotate` seals it again.
    pub fn is_current(&self, sealed: &str) -> bool {
        key_id(sealed) == Some(self.current.id.as_str())
    }

    /// What another key sealed, sealed with the current one; `None`: it is already.
    pub(crate) fn reseal(&self, sealed: &str, place: AssociatedData) -> Result<Option<String>> {
        let is_current = self.is_current(sealed);
        (!is_current).then(|| Ok(self.seal(&self.open(sealed, place)?, place))).transpose()
    }
}

fn key_id(sealed: &str) -> Option<&str> {
    let mut parts = sealed.split('.');
    (parts.next() == Some(VERSION)).then(|| parts.next()).flatten()
}

fn encode_associated_data(place: AssociatedData) -> Vec<u8> {
    let mut data = place.column.as_bytes().to_vec();
    data.push(0);
    data.extend(place.row.as_bytes());
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(row: u128) -> AssociatedData {
        AssociatedData { column: "connections.refresh_token", row: Uuid::from_u128(row) }
    }

    #[test]
    fn a_secret_opens_in_its_own_place_only() {
        let ring = Keyring::new(MasterKey::generate(), vec![]);
        let sealed = ring.seal(&"1//refresh".into(), place(1));
        assert!(!sealed.contains("refresh"));
        assert_eq!(ring.open(&sealed, place(1)).unwrap().expose_secret(), "1//refresh");
        assert!(ring.open(&sealed, place(2)).is_err());
        let other = AssociatedData { column: "connections.access_token", row: Uuid::from_u128(1) };
        assert!(ring.open(&sealed, other).is_err());
    }

    #[test]
    fn after_a_rotation_the_old_key_still_opens() {
        let old = MasterKey::generate();
        let kept = MasterKey::from_base64(&old.to_base64()).unwrap();
        let before = Keyring::new(old, vec![]);
        let sealed = before.seal(&"secret".into(), place(1));
        let after = Keyring::new(MasterKey::generate(), vec![kept]);
        assert!(!after.is_current(&sealed));
        assert_eq!(after.open(&sealed, place(1)).unwrap().expose_secret(), "secret");
        let stranger = Keyring::new(MasterKey::generate(), vec![]);
        assert!(matches!(stranger.open(&sealed, place(1)), Err(StorageError::Sealed { .. })));
    }

    #[test]
    fn damaged_texts_are_refused() {
        let ring = Keyring::new(MasterKey::generate(), vec![]);
        let sealed = ring.seal(&"secret".into(), place(1));
        for bad in ["", "s1", "s1.x.y", &sealed[..sealed.len() - 6], &sealed.replace("s1.", "s2.")] {
            assert!(ring.open(bad, place(1)).is_err(), "{bad}");
        }
        assert!(MasterKey::from_base64(&"dG9vIHNob3J0".into()).is_err());
    }
}
