//! What customers read of a booking: the mail around an invitation, and the event in their calendar.

use askama::Template;
use concord_domain::{
    booking::BookingTime,
    ical::{
        FeedStatus,
        itip::{BookingEvent, EventUse, write_booking_event},
        scheduling::{Attendee as IcalAttendee, Organizer},
        uid,
    },
    invitation::{AttendeeRole, InvitationContent, InvitationMethod, SentInvitation},
    language::Language,
    mail::{MailKind, one_line},
    mail_text::{MailTemplate, MailTexts, MailVariable},
};
use concord_storage::attendees::Attendee;

use super::{Subject, sender::sender_name};
use crate::{
    language::{TextKey, dates, text},
    mail::{RenderedMail, render::MailFrame},
};

/// What customers and staff read of a booking, in a language.
pub struct BookingTexts<'a> {
    pub language: Language,
    pub(crate) subject: &'a Subject,
}

/// The invitation of one attendee, or a file for whoever has it: mail and event.
pub struct InvitationTexts<'a> {
    texts: BookingTexts<'a>,
    /// Whom an invitation is for.
    attendee: Option<&'a Attendee>,
    organizer: Organizer<'a>,
    /// Of the event: the same in every mail, feed and file.
    uid: String,
    /// The address of the attendee's own page; empty: it is not named.
    page: String,
}

/// How a fact reads.
type FactValue<'v> = &'v dyn Fn(&InvitationContent) -> String;

/// A fact about a booking, with what it was before where that changed.
pub struct BookingFact {
    pub label: String,
    pub value: String,
    /// Whether the value is a link.
    pub is_link: bool,
    /// "before: ..."; `None`: it has not changed.
    pub was: Option<String>,
}

#[derive(Template)]
#[template(path = "mail/invitation.txt", escape = "none")]
struct InvitationText<'a> {
    frame: &'a MailFrame<'a>,
    heading: &'a str,
    /// The business's own words.
    intro: &'a str,
    notes: &'a [String],
    facts: &'a [BookingFact],
    page: &'a str,
    manage: &'a str,
}

#[derive(Template)]
#[template(path = "mail/invitation.html")]
struct InvitationHtml<'a> {
    frame: &'a MailFrame<'a>,
    heading: &'a str,
    intro: &'a str,
    notes: &'a [String],
    facts: &'a [BookingFact],
    /// The address of the attendee's own page; empty: none.
    page: &'a str,
    /// What can be done there.
    manage: &'a str,
}

impl<'a> BookingTexts<'a> {
    /// In the customer's language.
    pub fn of(subject: &'a Subject) -> Self {
        let language =
            subject.booking.draft.customer.language.unwrap_or(subject.business.invitations.language);
        Self { language, subject }
    }

    /// In another language than the customer's.
    #[must_use]
    pub fn in_language(self, language: Language) -> Self {
        Self { language, ..self }
    }

    fn text(&self, key: TextKey) -> String {
        text(self.language, key, [])
    }

    /// When it takes place, on the clocks of where it does.
    pub fn time(&self, time: &BookingTime) -> String {
        dates::booking_time(time, self.subject.zone, self.language)
    }

    /// On which clocks that is.
    pub fn zone_note(&self) -> String {
        let zone = self.subject.zone.name().replace('_', " ");
        text(self.language, TextKey::CustomerZone, [("zone", zone.into())])
    }

    /// What, when, where, with whom. `before`: what the attendee knows by now.
    pub fn facts(&self, content: &InvitationContent, before: Option<&InvitationContent>) -> Vec<BookingFact> {
        let party =
            |content: &InvitationContent| content.party_size.map(|size| size.to_string()).unwrap_or_default();
        let values: [(TextKey, FactValue<'_>); 6] = [
            (TextKey::BookingWhat, &|content| content.title.clone()),
            (TextKey::BookingWhen, &|content| self.time(&content.time)),
            (TextKey::BookingWhere, &|content| content.place.clone()),
            (TextKey::BookingMeeting, &|content| content.meeting_url.clone()),
            (TextKey::BookingStaff, &|content| content.staff.join(", ")),
            (TextKey::BookingParty, &party),
        ];
        let mut facts: Vec<BookingFact> = values
            .iter()
            .filter_map(|(key, value)| {
                let now = value(content);
                let was = before.map(value).filter(|was| *was != now && !was.is_empty());
                let was = was.map(|was| text(self.language, TextKey::InvitationWas, [("value", was.into())]));
                let is_said = !now.is_empty() || was.is_some();
                let is_link = *key == TextKey::BookingMeeting;
                is_said.then(|| BookingFact { label: self.text(*key), value: now, is_link, was })
            })
            .collect();
        facts.push(BookingFact {
            label: self.text(TextKey::BookingReference),
            value: self.subject.booking.reference.clone(),
            is_link: false,
            was: None,
        });
        facts
    }

    /// What stands below the event's title and time: a fact a line.
    pub fn description(&self, content: &InvitationContent) -> String {
        let elsewhere = [TextKey::BookingWhat, TextKey::BookingWhen].map(|key| self.text(key));
        let facts = self.facts(content, None);
        let lines = facts.iter().filter(|fact| !elsewhere.contains(&fact.label));
        lines.map(|fact| self.labelled(&fact.label, &fact.value)).collect::<Vec<_>>().join("\n")
    }

    /// The business's own words in mails of this kind to whoever has that name, which may be empty. `content`: what the mail is
    /// about.
    pub(crate) fn own_words(&self, kind: MailKind, content: &InvitationContent, name: &str) -> MailTexts {
        let mut own = self.subject.words.iter().filter(|row| row.language == self.language);
        let Some(row) = own.find(|row| row.kind == kind) else { return MailTexts::default() };
        let value = |variable| match variable {
            MailVariable::Business => self.subject.business.name.clone(),
            MailVariable::Title => content.title.clone(),
            MailVariable::Name => name.to_owned(),
            MailVariable::When => self.time(&content.time),
            MailVariable::Place => content.place.clone(),
            MailVariable::Reference => self.subject.booking.reference.clone(),
        };
        // What was checked when it was stored can be read.
        let filled = |text: &str| {
            MailTemplate::parse(text).map_or_else(|_| text.to_owned(), |read| read.render(value))
        };
        let MailTexts { subject, intro, closing } = &row.texts;
        MailTexts { subject: filled(subject), intro: filled(intro), closing: filled(closing) }
    }

    fn labelled(&self, label: &str, value: &str) -> String {
        text(self.language, TextKey::BookingLabelled, [("label", label.into()), ("value", value.into())])
    }
}

impl<'a> InvitationTexts<'a> {
    /// Those for an attendee, in the customer's language. `host`: the public name of this installation; `organizer`: the address
    /// that the invitation is from.
    pub fn of(subject: &'a Subject, host: &str, attendee: Option<&'a Attendee>, organizer: &'a str) -> Self {
        Self {
            texts: BookingTexts::of(subject),
            attendee,
            organizer: Organizer { name: sender_name(&subject.business), mail: organizer },
            uid: uid(subject.booking.id, host),
            page: String::new(),
        }
    }

    /// With the address of the attendee's own page.
    #[must_use]
    pub fn with_page(self, page: String) -> Self {
        Self { page, ..self }
    }

    /// The mail around a message. The subject is the event's own title, except of a cancellation: Exchange names the event
    /// after it.
    pub(crate) fn mail(
        &self,
        kind: MailKind,
        before: Option<&InvitationContent>,
        message: &SentInvitation,
    ) -> RenderedMail {
        use InvitationMethod::{Cancel, Remove, Request};
        let (heading, calendar_note) = match (message.method, kind) {
            (Cancel, _) if message.content.tentative => {
                (TextKey::InvitationRequestCancelledHeading, TextKey::InvitationCancelNote)
            }
            (Cancel, _) => (TextKey::InvitationCancelledHeading, TextKey::InvitationCancelNote),
            (Remove, _) => (TextKey::InvitationRemovedHeading, TextKey::InvitationCancelNote),
            (Request, MailKind::InvitationUpdate) if Self::is_agreed_now(before, message) => {
                (TextKey::InvitationConfirmedHeading, TextKey::InvitationUpdateNote)
            }
            (Request, MailKind::InvitationUpdate) => {
                (TextKey::InvitationUpdatedHeading, TextKey::InvitationUpdateNote)
            }
            (Request, _) if message.content.tentative => {
                (TextKey::InvitationRequestedHeading, TextKey::InvitationCalendarNote)
            }
            (Request, _) => (TextKey::InvitationConfirmedHeading, TextKey::InvitationCalendarNote),
        };
        let is_open = message.method == Request && message.content.tentative;
        let notes: Vec<String> = is_open
            .then_some(TextKey::InvitationRequestedNote)
            .into_iter()
            .chain([calendar_note])
            .map(|key| self.texts.text(key))
            .collect();
        let customer = self.texts.subject.booking.draft.customer.name.as_str();
        let name = self.attendee.map_or(customer, |one| one.name.as_str());
        // A request that is not agreed on yet is none of the mails that a business has words for.
        let words_kind = match heading {
            TextKey::InvitationRequestedHeading => None,
            TextKey::InvitationConfirmedHeading => Some(MailKind::Invitation),
            _ => Some(kind),
        };
        let own =
            words_kind.map(|kind| self.texts.own_words(kind, &message.content, name)).unwrap_or_default();
        let (language, title) = (self.texts.language, message.content.title.clone());
        let subject = match message.method {
            Request => title,
            Cancel | Remove if !own.subject.is_empty() => one_line(&own.subject),
            Cancel | Remove => text(language, TextKey::InvitationCancelledSubject, [("title", title.into())]),
        };
        let heading = self.texts.text(heading);
        let facts = self.texts.facts(&message.content, before.filter(|_| kind == MailKind::InvitationUpdate));
        let business = self.texts.subject.business.name.as_str();
        let frame = &MailFrame::new(language, business, TextKey::InvitationFooter)
            .designed(&self.texts.subject.logo, &own.closing);
        // Of what is off nothing can be changed.
        let page = if message.method == Request { self.page.as_str() } else { "" };
        let (heading, intro) = (heading.as_str(), own.intro.as_str());
        let (notes, facts) = (notes.as_slice(), facts.as_slice());
        let manage = &*self.manage_label();
        let plain = InvitationText { frame, heading, intro, notes, facts, page, manage };
        RenderedMail::new(
            subject,
            &plain,
            &InvitationHtml { frame, heading, intro, notes, facts, page, manage },
        )
    }

    /// What the attendee can do on their page: guests change nothing.
    fn manage_label(&self) -> String {
        let is_guest = self.attendee.is_some_and(|one| one.role == AttendeeRole::Guest);
        self.texts.text(if is_guest { TextKey::CustomerManageGuest } else { TextKey::CustomerManage })
    }

    /// Whether all that is new is that the booking is agreed on.
    fn is_agreed_now(before: Option<&InvitationContent>, message: &SentInvitation) -> bool {
        !message.content.tentative
            && before.is_some_and(|before| {
                before.tentative
                    && InvitationContent { tentative: false, ..before.clone() } == message.content
            })
    }

    /// The message as iCalendar.
    pub(super) fn calendar(&self, message: &SentInvitation) -> String {
        let address = self.attendee.map(Attendee::address_in_mail).unwrap_or_default();
        let name = self.attendee.map_or("", |one| one.name.as_str());
        let attendee =
            IcalAttendee { name, mail: &address, answer: self.attendee.and_then(|one| one.answer) };
        let purpose = match message.method {
            InvitationMethod::Request => EventUse::Request(attendee),
            InvitationMethod::Cancel => EventUse::Cancel(attendee),
            InvitationMethod::Remove => EventUse::Remove(attendee),
        };
        self.event(message, purpose)
    }

    /// The booking as a file for whoever downloads it, with the SEQUENCE that a message to the attendee would have.
    pub fn file(&self) -> String {
        let subject = self.texts.subject;
        let content = subject.named().content();
        let is_off = !subject.booking.draft.status.occupies();
        let sent = self.attendee.and_then(|attendee| attendee.sent.as_ref());
        let sequence = sent.map_or(0, |sent| sent.next_sequence((!is_off).then_some(&content)));
        let method = if is_off { InvitationMethod::Cancel } else { InvitationMethod::Request };
        let message = SentInvitation { method, sequence, dtstamp: subject.booking.updated_at, content };
        self.event(&message, EventUse::Download)
    }

    /// The event of a message, for `purpose`.
    fn event(&self, message: &SentInvitation, purpose: EventUse<'_>) -> String {
        let content = &message.content;
        let mut description = self.texts.description(content);
        if !self.page.is_empty() && message.method == InvitationMethod::Request {
            let label = self.manage_label();
            description = format!("{description}\n{}", self.texts.labelled(&label, &self.page));
        }
        let status = match message.method {
            InvitationMethod::Request if content.tentative => FeedStatus::Tentative,
            InvitationMethod::Request => FeedStatus::Confirmed,
            InvitationMethod::Cancel | InvitationMethod::Remove => FeedStatus::Cancelled,
        };
        let event = BookingEvent {
            uid: &self.uid,
            sequence: message.sequence,
            dtstamp: message.dtstamp,
            created: self.texts.subject.booking.created_at,
            time: content.time,
            summary: &content.title,
            description: &description,
            location: &content.place,
            meeting_url: &content.meeting_url,
            url: &self.page,
            status,
            organizer: self.organizer,
        };
        String::from_utf8_lossy(&write_booking_event(&event, purpose)).into_owned()
    }
}
