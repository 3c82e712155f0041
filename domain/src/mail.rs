//! Mails as they are kept: what each is about, where it stands, and texts that are safe in a header.

use url::Host;

use uuid::Uuid;

use crate::{
    ids::{JobKey, MailId},
    job::QueueClass,
    words,
};

words! {
    /// What a mail is about.
    MailKind "Email type." {
        /// One thing that happened.
        Notice = "notice",
        /// Several things that happened.
        Digest = "digest",
        /// Somebody wanted to see whether mail works.
        Test = "test",
        /// A customer is invited to a booking.
        Invitation = "invitation",
        /// What an invited customer knows of a booking has changed.
        InvitationUpdate = "invitation_update",
        /// A booking to which a customer was invited will not take place, or not with them.
        InvitationCancel = "invitation_cancel",
        /// A customer asked for a link to all their bookings.
        PortalLink = "portal_link",
        /// Somebody wants to sign in.
        SignIn = "sign_in",
        /// Somebody was let in.
        UserInvitation = "user_invitation",
        /// A booking begins soon.
        Reminder = "reminder",
    }
}

words! {
    /// Where a mail stands.
    MailState "Email status." {
        /// It is yet to be sent.
        Waiting = "waiting",
        /// A mail server has been given it, and has not been heard to take it: it may have left.
        Sending = "sending",
        /// A mail server has taken it.
        Sent = "sent",
        /// It was refused, or tried for too long.
        Failed = "failed",
    }
}

impl MailKind {
    /// Whether such a mail holds links that let somebody in: until it is sent, its text has placeholders for them.
    pub fn has_secrets(self) -> bool {
        matches!(self, Self::SignIn | Self::UserInvitation | Self::PortalLink)
    }

    /// How urgent it is to send one: what comes in waves, and what was gathered for minutes, goes behind what somebody waits for.
    pub fn queue(self) -> QueueClass {
        match self {
            Self::Reminder | Self::Digest => QueueClass::Bulk,
            Self::Notice
            | Self::Test
            | Self::Invitation
            | Self::InvitationUpdate
            | Self::InvitationCancel
            | Self::PortalLink
            | Self::SignIn
            | Self::UserInvitation => QueueClass::Interactive,
        }
    }
}

/// So many mails of an installation are handed over at once.
const LANES: u8 = 16;

/// The lane of a mail: the key of the job that sends it, of which one runs at a time. However many mails wait for the rate
/// limit, only this many of them ask whether it is their turn.
pub fn lane_of(mail: MailId) -> JobKey {
    // What is random of an id is at its end.
    let lane = mail.0.as_bytes()[15] % LANES;
    // No id of ours is as small.
    JobKey(Uuid::from_u128(u128::from(lane) + 1))
}

/// What stands in a mail's text for one of its secrets, the first of which is number 0.
pub fn secret_placeholder(number: usize) -> String {
    format!("[secret-{}]", number + 1)
}

/// The text of a mail with its secrets in the places of their placeholders. What a secret holds is put in as it is, also
/// where it looks like a placeholder.
pub fn with_secrets<T: AsRef<str>>(text: &str, secrets: &[T]) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("[secret-") {
        let (before, found) = rest.split_at(start);
        filled.push_str(before);
        let fits = |(number, secret): (usize, &T)| {
            let left = found.strip_prefix(&secret_placeholder(number))?;
            filled.push_str(secret.as_ref());
            Some(left)
        };
        let left = secrets.iter().enumerate().find_map(fits);
        rest = left.unwrap_or_else(|| {
            filled.push('[');
            &found[1..]
        });
    }
    filled + rest
}

/// The longest text of a header that we write, in characters.
const MAX_HEADER_CHARS: usize = 300;

/// A text as one line, for a header: whatever would begin another line, and every other control character, is a space.
/// A name with a line break must not become a header of its own, nor turn round the text that stands after it.
pub fn one_line(text: &str) -> String {
    // U+2028 and U+2029 end lines too, for some.
    let breaks = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '\u{2028}' | '\u{2029}');
    let words: Vec<&str> = text.split(breaks).filter(|word| !word.is_empty()).collect();
    let line: String = words.join(" ").chars().filter(|c| !turns_text(*c)).take(MAX_HEADER_CHARS).collect();
    // What looks like an encoded word would be decoded by readers (RFC 2047, 2), also inside of a text that is not encoded.
    line.replace("=?", "= ?")
}

/// Whether a character changes the direction of what stands after it, up to another one that ends that (Unicode's
/// embeddings, overrides and isolates): by these a name can be made to look like something else.
fn turns_text(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The longest mail address that mail servers take.
const MAX_MAIL_ADDRESS: usize = 254;

/// One `@` with something before it and a name after it: the mail server is the judge of the rest.
pub fn looks_like_mail_address(text: &str) -> bool {
    match text.rsplit_once('@') {
        Some((local, host)) => {
            text.len() <= MAX_MAIL_ADDRESS
                && !local.is_empty()
                && !host.is_empty()
                && !host.starts_with('.')
                && !host.ends_with('.')
                && !text.chars().any(|c| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | ','))
        }
        None => false,
    }
}

/// Why a text is no address that a mail can be sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MailAddressError {
    #[error("is not a valid email address")]
    Invalid,
    /// RFC 6531 allows it, and few servers take it.
    #[error("has letters before the @ that most mail servers do not take")]
    NotAscii,
}

/// An address as it stands in a mail: in ASCII, its domain in punycode (RFC 5891).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MailAddress(String);

impl MailAddress {
    /// Reads an address as people write it, blanks around it included.
    pub fn parse(text: &str) -> Result<Self, MailAddressError> {
        let text = text.trim();
        let (local, domain) = text.rsplit_once('@').ok_or(MailAddressError::Invalid)?;
        // RFC 5321, 4.5.3.1.1; the atoms of RFC 5322, 3.2.3. Quoted local parts exist in specifications alone.
        let is_atom_char = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
        if local.is_empty() || local.len() > 64 || text.len() > MAX_MAIL_ADDRESS {
            return Err(MailAddressError::Invalid);
        }
        if !local.is_ascii() {
            return Err(MailAddressError::NotAscii);
        }
        if !local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atom_char)) {
            return Err(MailAddressError::Invalid);
        }
        let Ok(Host::Domain(domain)) = Host::parse(domain) else { return Err(MailAddressError::Invalid) };
        let is_label = |label: &str| {
            let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            (1..=63).contains(&label.len())
                && label.bytes().all(is_inner)
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        if domain.split('.').all(is_label) {
            Ok(Self(format!("{local}@{domain}")))
        } else {
            Err(MailAddressError::Invalid)
        }
    }

    /// As it stands in a mail.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// By what two spellings are known as one address: servers tell upper case from lower in the first half, and people do
    /// not. Also of what is no address.
    pub fn key_of(text: &str) -> String {
        Self::parse(text).map_or_else(|_| text.trim().to_lowercase(), |address| address.key())
    }

    /// The same of one that was read.
    pub fn key(&self) -> String {
        self.0.to_lowercase()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use chrono::DateTime;
    use proptest::prelude::*;

    use super::*;
    use crate::ids::new_uuid;

    #[test]
    fn mails_of_one_moment_go_by_all_lanes() {
        let ids = (0..1_000).map(|_| MailId(new_uuid(DateTime::UNIX_EPOCH)));
        let lanes: BTreeSet<JobKey> = ids.map(lane_of).collect();
        assert_eq!(lanes.len(), usize::from(LANES));
        assert!(lanes.iter().all(|lane| lane.0.get_version_num() == 0), "none is an id of something else");
    }

    #[test]
    fn a_name_with_a_line_break_is_one_line() {
        assert_eq!(one_line("Ana\r\nBcc: all@example.com"), "Ana Bcc: all@example.com");
        assert_eq!(one_line("  José \u{2028} Müller\t"), "José Müller");
        assert_eq!(one_line(&"a".repeat(1_000)).len(), MAX_HEADER_CHARS);
    }

    #[test]
    fn text_is_not_turned_round() {
        assert_eq!(one_line("Ana \u{202e}gpj.exe\u{2066}"), "Ana gpj.exe");
        assert_eq!(one_line("=?utf-8?q?x?="), "= ?utf-8?q?x?=");
        // What belongs to a script or an emoji stays.
        assert_eq!(
            one_line("\u{5d0}\u{200f} \u{1f468}\u{200d}\u{1f469}"),
            "\u{5d0}\u{200f} \u{1f468}\u{200d}\u{1f469}"
        );
    }

    #[test]
    fn addresses_are_in_ascii() {
        for (text, address) in [
            (" maria@example.org ", "maria@example.org"),
            ("Maria.Silva+x@Example.ORG", "Maria.Silva+x@example.org"),
            ("a@b\u{fc}cher.de", "a@xn--bcher-kva.de"),
            ("a@b", "a@b"),
        ] {
            assert_eq!(MailAddress::parse(text).unwrap().as_str(), address, "{text}");
        }
        assert_eq!(MailAddress::parse("\u{fc}@c.de"), Err(MailAddressError::NotAscii));
        let long = format!("{}@example.org", "x".repeat(65));
        for bad in [
            "",
            "@",
            "a@",
            "@b.de",
            "a..b@c.de",
            ".a@c.de",
            "a.@c.de",
            "a@-x.de",
            "a@x-.de",
            "a@[127.0.0.1]",
            "a@127.0.0.1",
            "a b@c.de",
            "a@c.de\r\nBcc: x@y.de",
            "a@c.de>",
            "\"a\"@c.de",
            "a@b@c.de,d@e.de",
            "a@c..de",
            long.as_str(),
        ] {
            assert_eq!(MailAddress::parse(bad), Err(MailAddressError::Invalid), "{bad}");
        }
    }

    #[test]
    fn one_address_has_one_key() {
        assert_eq!(
            MailAddress::key_of("Maria@B\u{fc}cher.de"),
            MailAddress::key_of("maria@xn--bcher-kva.de ")
        );
        assert_ne!(MailAddress::key_of("maria@example.org"), MailAddress::key_of("maria@example.com"));
        assert_eq!(MailAddress::key_of(" Nobody"), "nobody");
    }

    #[test]
    fn each_secret_stands_in_its_own_place() {
        let text = (0..11).map(secret_placeholder).collect::<Vec<_>>().join(" ");
        let secrets: Vec<String> = (0..11).map(|number| format!("cl_{number}")).collect();
        assert_eq!(with_secrets(&text, &secrets), secrets.join(" "));
        assert_eq!(with_secrets("[secret-1] [secret-2] [secret-", &["a"]), "a [secret-2] [secret-");
        assert_eq!(with_secrets("[[secret-1]][secret-2]", &["[secret-2]", "b"]), "[[secret-2]]b");
        assert_eq!(with_secrets::<&str>("none", &[]), "none");
    }

    proptest! {
        #[test]
        fn nothing_that_controls_gets_through(text in any::<String>()) {
            let line = one_line(&text);
            prop_assert!(!line.contains(char::is_control), "{line:?}");
        }
    }
}
