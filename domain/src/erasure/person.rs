//! Whose data is erased, and the texts by which it is found in records that name no booking.

use std::{collections::BTreeSet, ops::Range};

use aho_corasick::AhoCorasick;
use serde::{Deserialize, Serialize};

use super::ErasureScope;
use crate::{
    booking::BookingDraft,
    ids::{AttendeeId, BookingId},
    mail::MailAddress,
    people::Actor,
};

/// A booking of which somebody is to be taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErasureTarget {
    pub booking: BookingId,
    pub scope: ErasureScope,
    /// Whom, where one person is meant who has a row.
    pub attendee: Option<AttendeeId>,
}

/// Whose data it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonTraces {
    /// The address that is erased; `None`: whole bookings are, whoever they name.
    pub address_key: Option<String>,
    /// Names, addresses and numbers that stand for nobody else.
    pub texts: BTreeSet<String>,
}

/// Words of names that platforms give to whatever they close or sell.
const GENERIC: [&str; 8] =
    ["reserved", "reservation", "blocked", "closed", "available", "unavailable", "booked", "guest"];

/// Whether a text stands for one person: what is found by it is erased. An address does, a number of seven digits, a full
/// name. A first name is many people's, and a record that has nothing else of a person tells nobody who that is.
pub fn is_distinctive(text: &str) -> bool {
    let lower = text.trim().to_lowercase();
    let digits = lower.chars().filter(char::is_ascii_digit).count();
    let letters = lower.chars().filter(|c| c.is_alphabetic()).count();
    let words: Vec<&str> =
        lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    if lower.contains('@') || (digits >= 7 && letters <= 4) {
        return true;
    }
    let is_generic = words.iter().any(|word| GENERIC.contains(word));
    words.len() >= 2 && letters >= 6 && !is_generic
}

impl PersonTraces {
    /// Adds a text, if it stands for one person.
    pub fn add(&mut self, text: &str) {
        if is_distinctive(text) {
            self.texts.insert(text.trim().to_owned());
        }
    }

    /// Leaves out what stands for somebody who works here: what concerns them goes on.
    pub fn leave_out(&mut self, text: &str) {
        let text = text.trim().to_lowercase();
        self.texts.retain(|one| one.to_lowercase() != text);
    }

    /// Adds what a booking says of those who are taken out of it.
    pub fn add_booking(&mut self, draft: &BookingDraft, scope: ErasureScope) {
        // Guests of the one who is erased have bookings of their own: only of this one they are taken out.
        let is_erased =
            |email: &str| self.address_key.as_deref().is_none_or(|key| MailAddress::key_of(email) == key);
        let guests: Vec<_> = draft.guests.iter().filter(|guest| is_erased(&guest.email)).collect();
        for guest in guests {
            self.add(&guest.name);
            self.add(&guest.email);
        }
        if scope == ErasureScope::Booking {
            let customer = &draft.customer;
            // What a platform calls its guests: "airbnb: Ana Costa".
            let name = customer.name.strip_prefix(&format!("{}: ", draft.source)).unwrap_or(&customer.name);
            self.add(name);
            self.add(&customer.email);
            self.add(&customer.phone);
        }
    }
}

/// Finds the texts of a person however they are written: in JSON, HTML or an address, in any case of letters; not where they
/// are part of a longer word, which is somebody else's: "Ana Costa" in "Mariana Costa".
#[derive(Clone, Debug)]
pub struct TraceSearch(Option<AhoCorasick>);

impl TraceSearch {
    /// Prepares the search for all texts of a person, and for their address.
    pub fn new(traces: &PersonTraces) -> Self {
        let mut forms = BTreeSet::new();
        for text in traces.texts.iter().chain(&traces.address_key) {
            for form in [text.clone(), in_json(text), in_html(text), in_url(text), in_form(text)] {
                forms.insert(form.to_lowercase());
            }
        }
        forms.remove("");
        // It is none where it would take more memory than there can be.
        let automaton = (!forms.is_empty()).then(|| AhoCorasick::new(&forms));
        Self(automaton.and_then(Result::ok))
    }

    /// Whether a text has any of them.
    pub fn finds(&self, text: &str) -> bool {
        let Some(automaton) = &self.0 else { return false };
        let text = text.to_lowercase();
        automaton.find_overlapping_iter(&text).any(|found| stands_alone(&text, found.start()..found.end()))
    }

    /// Whether a line of the history names them: who did what, or what changed.
    pub fn finds_in_line(&self, actor: &Actor, detail: &serde_json::Value) -> bool {
        self.finds(&format!("{} {detail}", actor.label()))
    }

    /// Whether there is anything to look for.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

/// Whether what was found is no part of a longer name, number or address.
fn stands_alone(text: &str, found: Range<usize>) -> bool {
    let (before, form, after) = (&text[..found.start], &text[found.clone()], &text[found.end..]);
    let is_address = form.contains('@') || form.contains("%40");
    begins_word(before, is_address) && ends_word(after, is_address)
}

fn begins_word(before: &str, is_address: bool) -> bool {
    let Some(last) = before.chars().next_back() else { return true };
    // What JSON and addresses write for a line break or a blank ends with a letter or a digit.
    let tail = before.as_bytes();
    let is_escape = |back: usize, mark: u8| tail.len() >= back && tail[tail.len() - back] == mark;
    if is_escape(3, b'%') || (is_escape(2, b'\\') && matches!(last, 'n' | 'r' | 't')) {
        return true;
    }
    // RFC 5322, 3.2.3: what an address may have before its @.
    !(last.is_alphanumeric() || (is_address && matches!(last, '.' | '_' | '+' | '-')))
}

fn ends_word(after: &str, is_address: bool) -> bool {
    let mut rest = after.chars();
    match rest.next() {
        // "book@casa.example." ends a sentence, "book@casa.example.org" is another's.
        Some('.' | '-') if is_address => rest.next().is_none_or(|next| !next.is_alphanumeric()),
        Some(next) => !next.is_alphanumeric(),
        None => true,
    }
}

fn in_json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// As Askama writes it.
fn in_html(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => written.push_str("&#38;"),
            '<' => written.push_str("&#60;"),
            '>' => written.push_str("&#62;"),
            '"' => written.push_str("&#34;"),
            '\'' => written.push_str("&#39;"),
            other => written.push(other),
        }
    }
    written
}

fn in_form(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn in_url(text: &str) -> String {
    in_form(text).replace('+', "%20")
}
