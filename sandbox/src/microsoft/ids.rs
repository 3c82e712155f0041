//! Ids of events, which the server makes: one that changes when the event is put elsewhere, and, for who asks for it with
//! `Prefer: IdType="ImmutableId"`, one that does not
//! (<https://learn.microsoft.com/en-us/graph/outlook-immutable-id>). Both are long, opaque and case-sensitive.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use sha2::{Digest, Sha256};
use uuid::Uuid;

const MUTABLE_PREFIX: &str = "AAMkAG";
const IMMUTABLE_PREFIX: &str = "AAkALg";

/// The id of an event as an application sees it. `key` is what it is stored under.
pub(crate) fn shown(key: &str, moves: u32, immutable: bool) -> String {
    if immutable {
        format!("{IMMUTABLE_PREFIX}{}", obfuscate(key))
    } else {
        format!("{MUTABLE_PREFIX}{}", obfuscate(&format!("{moves}.{key}")))
    }
}

/// What the id of a request means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GraphEventId {
    pub(crate) key: String,
    /// How often the event had been put elsewhere when the id was given out, if it is one that changes.
    pub(crate) moves: Option<u32>,
}

/// Reads an id of either kind; `None` for a malformed one.
pub(crate) fn read(id: &str) -> Option<GraphEventId> {
    if let Some(rest) = id.strip_prefix(IMMUTABLE_PREFIX) {
        return Some(GraphEventId { key: deobfuscate(rest)?, moves: None });
    }
    let text = deobfuscate(id.strip_prefix(MUTABLE_PREFIX)?)?;
    let (moves, key) = text.split_once('.')?;
    Some(GraphEventId { key: key.into(), moves: Some(moves.parse().ok()?) })
}

/// The key under which a new event is stored, and its iCalendar UID, which Outlook makes in this form ([MS-OXOCAL]).
pub(crate) fn new_ids() -> (String, String) {
    let id = Uuid::new_v4();
    let digest = Sha256::digest(id.as_bytes());
    let hex: Vec<_> = digest[..20].iter().map(|byte| format!("{byte:02X}")).collect();
    let uid = format!("040000008200E00074C5B7101A82E008{}", hex.concat());
    (id.simple().to_string(), uid)
}

/// The id of a calendar. It is of the kind that changes: none of calendars is immutable.
pub(crate) fn calendar(owner: &str, key: &str) -> String {
    format!("{MUTABLE_PREFIX}I{}", URL_SAFE.encode(Sha256::digest(format!("{owner}/{key}"))))
}

/// Whether it can be the id of a calendar.
pub(crate) fn is_of_calendar(id: &str) -> bool {
    id.starts_with(MUTABLE_PREFIX)
}

/// Letters, digits, `-`, `_` and `=`: whoever takes an id for a file name or forgets its case finds out here.
fn obfuscate(text: &str) -> String {
    let bytes: Vec<u8> = mask().zip(text.bytes()).map(|(mask, byte)| mask ^ byte).collect();
    URL_SAFE.encode(bytes)
}

fn deobfuscate(text: &str) -> Option<String> {
    let bytes = URL_SAFE.decode(text).ok()?;
    String::from_utf8(mask().zip(bytes).map(|(mask, byte)| mask ^ byte).collect()).ok()
}

fn mask() -> impl Iterator<Item = u8> {
    (0..=u8::MAX).cycle().map(|place| place.wrapping_mul(37) ^ 0xB5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_back_and_one_kind_changes_with_a_move() {
        let (key, uid) = new_ids();
        assert_eq!((key.len(), uid.len()), (32, 72));
        assert_eq!(read(&shown(&key, 3, false)), Some(GraphEventId { key: key.clone(), moves: Some(3) }));
        assert_eq!(read(&shown(&key, 3, true)), Some(GraphEventId { key: key.clone(), moves: None }));
        assert_ne!(shown(&key, 0, false), shown(&key, 1, false));
        assert_eq!(shown(&key, 0, true), shown(&key, 1, true));
        for wrong in ["", "AAMkAG", "AAMkAG!!", "booking1", &key] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
