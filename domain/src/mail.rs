//! Mails as they are kept: what each is about, where it stands, and texts that are safe in a header.

use crate::words;

words! {
    /// What a mail is about.
    MailKind "Email type." {
        /// One thing that happened.
        Notice = "notice",
        /// Several things that happened.
        Digest = "digest",
        /// Somebody wanted to see whether mail works.
        Test = "test",
    }
}

words! {
    /// Where a mail stands.
    MailState "Email status." {
        /// It is yet to be sent.
        Waiting = "waiting",
        /// A mail server has taken it.
        Sent = "sent",
        /// It was refused, or tried for too long.
        Failed = "failed",
    }
}

/// The longest text of a header that we write, in characters.
const MAX_HEADER_CHARS: usize = 300;

/// A text as one line, for a header: whatever would begin another line, and every other control character, is a space.
/// A name with a line break must not become a header of its own.
pub fn one_line(text: &str) -> String {
    // U+2028 and U+2029 end lines too, for some.
    let breaks = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '\u{2028}' | '\u{2029}');
    let words: Vec<&str> = text.split(breaks).filter(|word| !word.is_empty()).collect();
    words.join(" ").chars().take(MAX_HEADER_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_with_a_line_break_is_one_line() {
        assert_eq!(one_line("Ana\r\nBcc: all@example.com"), "Ana Bcc: all@example.com");
        assert_eq!(one_line("  José \u{2028} Müller\t"), "José Müller");
        assert_eq!(one_line(&"a".repeat(1_000)).len(), MAX_HEADER_CHARS);
    }

    proptest! {
        #[test]
        fn nothing_that_controls_gets_through(text in any::<String>()) {
            let line = one_line(&text);
            prop_assert!(!line.contains(char::is_control), "{line:?}");
        }
    }
}
