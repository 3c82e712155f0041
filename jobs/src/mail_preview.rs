//! A mail as customers would get it, of a booking that nobody made: for whoever writes the business's words.

use chrono::{DateTime, Duration, DurationRound, Utc};
use concord_domain::{
    booking::{Booking, BookingDraft, BookingKind, BookingStatus, BookingTime, Customer},
    ids::{BookingId, ResourceId, new_uuid},
    interval::Interval,
    invitation::{InvitationMethod, SentInvitation},
    language::Language,
    mail::MailKind,
};
use concord_storage::{
    StorageError,
    businesses::Business,
    mail_design::MailDesign,
    mails::{self, MailSender},
};
use uuid::Uuid;

use crate::{
    Context,
    invitations::{BookingTexts, InvitationTexts, Subject, logo_path, organizer_address, sender_name},
    language::{TextKey, text},
    mail::{Recipient, RenderedMail},
    notify::outbox::new_mail,
    reminders::render::to_customer,
};

/// The mail of that kind and language, by `design`.
pub fn preview(
    context: &Context,
    business: &Business,
    design: MailDesign,
    (kind, language): (MailKind, Language),
) -> RenderedMail {
    let now = context.clock.now();
    let subject = sample(context, business, design, language, now);
    let page = context.mail.address("/b/…");
    let content = subject.named().content();
    if kind == MailKind::Reminder {
        let name = subject.booking.draft.customer.name.clone();
        return to_customer(
            &BookingTexts::of(&subject),
            &name,
            (page.clone(), &format!("{page}/reminders/off")),
        );
    }
    let mut before = content.clone();
    before.time = earlier(content.time);
    let method = match kind {
        MailKind::InvitationCancel => InvitationMethod::Cancel,
        _ => InvitationMethod::Request,
    };
    let message = SentInvitation { method, sequence: 0, dtstamp: now, content };
    InvitationTexts::of(&subject, &context.mail.uid_host, None, organizer_address(context, business, None))
        .with_page(page)
        .mail(kind, Some(&before), &message)
}

/// What a test's subject begins with, in every language: a title alone would be taken for a real booking.
const TEST_MARK: &str = "[Test] ";

/// Sends that mail to somebody of the business, as it would be sent to a customer but for its subject and its calendar file:
/// mail programs enter what such a file says into the calendar, and nobody has made this booking.
pub async fn send_preview(
    context: &Context,
    business: &Business,
    design: MailDesign,
    kind: (MailKind, Language),
    to: &Recipient,
) -> Result<(), StorageError> {
    let now = context.clock.now();
    let mut rendered = preview(context, business, design, kind);
    rendered.subject.insert_str(0, TEST_MARK);
    let key = format!("preview:{}", new_uuid(now));
    let mut new = new_mail(&context.mail, (business.id, MailKind::Test), to, &rendered, &key);
    new.sender = Some(MailSender {
        name: sender_name(business),
        address: organizer_address(context, business, None),
        reply_to: None,
    });
    let mut tx = context.db.begin().await?;
    let enqueued = mails::create(&mut tx, &new, now).await?;
    context.commit(tx, enqueued.as_slice()).await?;
    Ok(())
}

fn earlier(time: BookingTime) -> BookingTime {
    match time {
        BookingTime::Timed { starts_at, ends_at } => {
            let hour = Duration::hours(1);
            BookingTime::Timed { starts_at: starts_at - hour, ends_at: ends_at - hour }
        }
        stay @ BookingTime::Stay { .. } => stay,
    }
}

fn sample(
    context: &Context,
    business: &Business,
    design: MailDesign,
    language: Language,
    now: DateTime<Utc>,
) -> Subject {
    let starts_at = (now + Duration::days(7)).duration_trunc(Duration::hours(1)).unwrap_or(now);
    let interval = Interval { start: starts_at, end: starts_at + Duration::hours(1) };
    let time = BookingTime::Timed { starts_at, ends_at: interval.end };
    let named = |key| text(language, key, []);
    let draft = BookingDraft {
        resource: ResourceId(Uuid::nil()),
        kind: BookingKind::Booking,
        status: BookingStatus::Confirmed,
        time,
        title: named(TextKey::SampleTitle),
        customer: Customer {
            name: named(TextKey::SampleName),
            language: Some(language),
            ..Customer::default()
        },
        party_size: Some(2),
        quantity: 1,
        staff: Vec::new(),
        location: String::new(),
        notes: String::new(),
        source: String::new(),
        meeting_url: String::new(),
        guests: Vec::new(),
    };
    Subject {
        booking: Booking {
            id: BookingId(Uuid::nil()),
            business: business.id,
            reference: "SAMPLE".to_owned(),
            version: 1,
            interval,
            channel: None,
            created_at: now,
            updated_at: now,
            draft,
        },
        resource: named(TextKey::SampleResource),
        staff: Vec::new(),
        crew: Vec::new(),
        zone: business.zone,
        words: design.texts,
        logo: design
            .logo
            .map(|logo| context.mail.address(&logo_path(business.id, &logo)))
            .unwrap_or_default(),
        business: business.clone(),
    }
}
