//! Answer addresses: an invitation may come from an address of its own, with a secret behind a plus sign (RFC 5233), to which
//! the answer comes back.
//!
//! Nothing in a reply proves who sent it. Who writes to such an address has been sent the invitation, or was given it by
//! somebody who was.

use crate::{hex, mail::MailAddress};

/// The length of the secret.
pub const ANSWER_TOKEN_BYTES: usize = 16;

/// Tells it from what a business may have put behind a plus sign itself.
const MARK: &str = "+r-";

/// The longest part before the `@` (RFC 5321, 4.5.3.1.1).
const MAX_LOCAL_PART: usize = 64;

/// The longest part before the `@` of a sender that there can be such addresses of.
pub const MAX_SENDER_LOCAL_PART: usize = MAX_LOCAL_PART - MARK.len() - 2 * ANSWER_TOKEN_BYTES;

/// The sender's address with the secret in it; `None`: it would be too long for mail servers.
pub fn answer_address(sender: &str, token: [u8; ANSWER_TOKEN_BYTES]) -> Option<String> {
    let (local, domain) = sender.rsplit_once('@')?;
    (local.len() <= MAX_SENDER_LOCAL_PART).then(|| format!("{local}{MARK}{}@{domain}", hex(token)))
}

/// Whether an address holds such a secret.
fn has_token(address: &str) -> bool {
    let local = address.rsplit_once('@').map_or("", |(local, _)| local);
    local.rsplit_once(MARK).is_some_and(|(_, token)| {
        token.len() == 2 * ANSWER_TOKEN_BYTES && token.bytes().all(|c| c.is_ascii_hexdigit())
    })
}

/// Whether a reply that came to these addresses came to the one that the invitation was from, which nobody can guess.
/// `organizer`: what the invitation was from.
pub fn is_answered_to<'a>(organizer: &str, mut came_to: impl Iterator<Item = &'a str>) -> bool {
    let key = MailAddress::key_of(organizer);
    has_token(organizer) && came_to.any(|address| MailAddress::key_of(address) == key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_address_with_a_secret_vouches_for_an_answer() {
        let organizer = answer_address("book@casa.example", [0xab; 16]).unwrap();
        assert_eq!(organizer, format!("book+r-{}@casa.example", "ab".repeat(16)));
        assert!(is_answered_to(&organizer, ["x@y.example", organizer.as_str()].into_iter()));
        // Mail servers and programs write parts of it in other letters.
        assert!(is_answered_to(&organizer, [organizer.to_uppercase().as_str()].into_iter()));
        let other = answer_address("book@casa.example", [0xac; 16]).unwrap();
        assert!(!is_answered_to(&organizer, [other.as_str(), "book@casa.example"].into_iter()));
        for plain in ["book@casa.example", "book+r-@casa.example", "book+r-abc@casa.example", ""] {
            assert!(!is_answered_to(plain, [plain].into_iter()), "{plain}");
        }
    }

    #[test]
    fn sender_that_would_be_too_long_has_none() {
        assert!(answer_address(&format!("{}@casa.example", "a".repeat(29)), [0; 16]).is_some());
        assert_eq!(answer_address(&format!("{}@casa.example", "a".repeat(30)), [0; 16]), None);
        assert_eq!(answer_address("nobody", [0; 16]), None);
    }
}
