//! A mail that came back to us: who sent it, whether our mail server believes that, and the reply in it.

use concord_domain::{
    customer::CustomerAnswer,
    ical::reply::{Reply, read_reply},
    mail::MailAddress,
};
use mail_parser::{Message, MessageParser, MimeHeaders};

/// Larger mails hold no reply.
pub const MAX_INCOMING_BYTES: usize = 1024 * 1024;

/// What has come of a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum ReplyOutcome {
    /// It is the answer of whoever was invited.
    Answered(CustomerAnswer),
    /// They wish for another time: it is in the booking's history.
    Wished,
    /// It answers an invitation that is no longer so, and is noted.
    Outdated,
    /// Somebody else has answered, who was given the invitation; it is noted.
    OtherAddress,
    /// Nobody says that it is from there. Nothing was noted.
    NotBelieved,
    /// It is no reply to an invitation of ours, or says nothing new.
    Ignored,
}

/// A mail with a reply to an invitation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncomingReply {
    /// By what its sender is known as one with an attendee (`MailAddress::key_of`).
    pub from_key: String,
    /// Whether our own mail server has found that it is from there.
    pub is_authenticated: bool,
    /// Whom it is for, as its sender says.
    pub to: Vec<String>,
    pub reply: Reply,
}

/// Reads a mail as it came. `None`: it holds no reply, as a note of absence, a bounce or a letter does not.
///
/// `authserv_id`: the name by which the mail server that hands mails to us signs its findings (RFC 8601, 2.5); empty: none
/// is believed.
pub fn read_incoming(mail: &[u8], authserv_id: &str) -> Option<IncomingReply> {
    let message = MessageParser::default().parse(mail)?;
    let reply = message.parts.iter().find_map(|part| {
        let kind = part.content_type()?;
        let subtype = kind.subtype()?.to_ascii_lowercase();
        let is_calendar =
            matches!((kind.ctype(), subtype.as_str()), ("text", "calendar") | ("application", "ics"));
        read_reply(&String::from_utf8_lossy(is_calendar.then(|| part.contents())?))
    })?;
    // A mail from several is from nobody in particular, and readers differ about which of two From counts.
    let is_from = |(name, _): &(&str, &str)| name.eq_ignore_ascii_case("From");
    if message.headers_raw().filter(is_from).count() != 1 {
        return None;
    }
    let mut senders = message.from()?.iter();
    let (sender, None) = (senders.next()?, senders.next()) else { return None };
    let from_key = MailAddress::key_of(sender.address.as_deref()?);
    let is_authenticated = passes_dmarc(&message, authserv_id, from_key.rsplit_once('@')?.1);
    let to = [message.to(), message.cc()].into_iter().flatten().flat_map(|all| all.iter());
    let to = to.filter_map(|one| one.address.as_deref().map(str::to_owned)).collect();
    Some(IncomingReply { from_key, is_authenticated, to, reply })
}

/// Whether the mail server says that the sender's domain stands for the mail (RFC 7489). Only its newest word counts, which
/// stands first: what a sender has written by that name, it takes out (RFC 8601, 5).
fn passes_dmarc(message: &Message<'_>, authserv_id: &str, domain: &str) -> bool {
    if authserv_id.is_empty() {
        return false;
    }
    let found = message.headers_raw().filter(|(name, _)| name.eq_ignore_ascii_case("Authentication-Results"));
    let own = found.map(|(_, value)| value).find(|value| {
        let id = value.trim_start().split([';', ' ', '\t', '\r']).next().unwrap_or_default();
        id.eq_ignore_ascii_case(authserv_id)
    });
    let Some(own) = own else { return false };
    let results = without_free_text(own);
    results.split(';').skip(1).any(|result| {
        let mut words = result.split_whitespace();
        let passes = words.next().is_some_and(|method| method.eq_ignore_ascii_case("dmarc=pass"));
        passes
            && words.filter_map(|word| word.split_once('=')).any(|(name, found)| {
                name.eq_ignore_ascii_case("header.from") && is_within(domain, &found.to_ascii_lowercase())
            })
    })
}

/// Whether a domain is the one that was checked, or within it: a policy may stand above (RFC 7489, 3.2).
fn is_within(domain: &str, checked: &str) -> bool {
    let rest = domain.strip_suffix(checked);
    checked.contains('.') && rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Without what stands in brackets, which says nothing to machines, and in quotes, which others may have written (RFC 5322,
/// 3.2.2 and 3.2.4).
fn without_free_text(text: &str) -> String {
    let (mut depth, mut is_quoted, mut is_escaped) = (0_u32, false, false);
    let mut kept = String::with_capacity(text.len());
    for c in text.chars() {
        if std::mem::take(&mut is_escaped) {
            continue;
        }
        match c {
            '\\' => is_escaped = true,
            '"' if depth == 0 => is_quoted = !is_quoted,
            _ if is_quoted => {}
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ if depth == 0 => kept.push(c),
            _ => {}
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use concord_domain::ical::AttendeeStatus;

    use super::*;

    const REPLY: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\nMETHOD:REPLY\r\nBEGIN:VEVENT\r\nUID:booking-1@x\r\n\
        DTSTAMP:20261121T080000Z\r\nATTENDEE;PARTSTAT=ACCEPTED:mailto:maria@example.org\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

    fn mail(headers: &str, kind: &str) -> Vec<u8> {
        format!(
            "{headers}From: Maria <Maria@example.org>\r\nTo: book@casa.example\r\nSubject: Accepted\r\nMIME-Version: 1.0\r\n\
             Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nYes\r\n\
             --b\r\nContent-Type: {kind}\r\n\r\n{REPLY}\r\n--b--\r\n"
        )
        .into_bytes()
    }

    const CALENDAR: &str = "text/calendar; method=REPLY; charset=UTF-8";

    #[test]
    fn reply_is_found_in_its_part() {
        let read = read_incoming(&mail("", CALENDAR), "").unwrap();
        assert_eq!((read.from_key.as_str(), read.is_authenticated), ("maria@example.org", false));
        assert_eq!((read.reply.uid.as_str(), read.reply.answer), ("booking-1@x", AttendeeStatus::Accepted));
        assert!(read_incoming(&mail("", "application/ics; name=invite.ics"), "").is_some());
        // A note of absence, a letter, and what is no mail.
        assert_eq!(read_incoming(&mail("Auto-Submitted: auto-replied\r\n", "text/html"), ""), None);
        assert_eq!(read_incoming(b"", ""), None);
        assert_eq!(read_incoming(&[0, 159, 146, 150], ""), None);
    }

    #[test]
    fn only_the_own_servers_newest_word_is_believed() {
        let of = |headers: &str| {
            read_incoming(&mail(headers, CALENDAR), "mx.casa.example").unwrap().is_authenticated
        };
        assert!(of(
            "Authentication-Results: mx.casa.example;\r\n spf=pass smtp.mailfrom=example.org;\r\n dmarc=pass (p=NONE) header.from=example.org\r\n"
        ));
        assert!(of("Authentication-Results: MX.casa.example 1; dmarc=pass header.from=example.org\r\n"));
        for forged in [
            "",
            "Authentication-Results: mx.other.example; dmarc=pass\r\n",
            "Authentication-Results: mx.casa.example; dmarc=fail (dmarc=pass)\r\n",
            "Authentication-Results: mx.casa.example; dmarc=none (;dmarc=pass)\r\n",
            "Authentication-Results: mx.casa.example; spf=pass reason=\"dmarc=pass\"\r\n",
            "Authentication-Results: mx.casa.example.evil; dmarc=pass header.from=example.org\r\n",
            "Authentication-Results: mx.casa.example; dmarc=pass\r\n",
            "Authentication-Results: mx.casa.example; dmarc=pass header.from=evil.example\r\n",
            "Authentication-Results: mx.casa.example; dmarc=pass header.from=org\r\n",
            "Authentication-Results: mx.casa.example; spf=pass smtp.mailfrom=\"; dmarc=pass header.from=example.org \"@x.y\r\n",
            // The newest stands first; below it stands what came with the mail.
            "Authentication-Results: mx.casa.example; dmarc=fail\r\nAuthentication-Results: mx.casa.example; dmarc=pass\r\n",
        ] {
            assert!(!of(forged), "{forged}");
        }
        let one = "Authentication-Results: mx.casa.example; dmarc=pass header.from=example.org\r\n";
        let two = format!("{one}From: eve@evil.example\r\n");
        assert_eq!(read_incoming(&mail(&two, CALENDAR), "mx.casa.example"), None, "from two at once");
        assert!(!read_incoming(&mail(one, CALENDAR), "").unwrap().is_authenticated, "nobody is configured");
    }
}
