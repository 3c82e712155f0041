//! What customers do from the page of their booking: whoever has its address is let in, and nobody signs in.

use chrono::{DateTime, Duration, Utc};
use concord_domain::{
    booking::{Booking, BookingDraft, BookingTime},
    customer::{CustomerAnswer, CustomerPermission, CustomerRules, MAX_WISH},
    ids::{AttendeeId, BookingId},
    invitation::{AttendeeRole, named_attendees},
    mail::MailAddress,
    people::Actor,
};
use concord_jobs::{
    Context,
    invitations::{BookingTexts, Subject, page_address},
    language::NOTICE_LANGUAGE,
    notify::customer::{CustomerDeed, CustomerNotice},
};
use concord_storage::{
    ChangeContext, StorageError,
    attendees::{self, Attendee},
    bookings::{self, LinkedWrite, PutError},
    businesses, customer_links,
    limits::{self, BucketRate, RateDecision},
    secret,
};
use secrecy::SecretString;
use serde_json::json;

use crate::{ServiceError, error::OrNotFound, history};

/// Somebody at their own page of a booking.
pub struct CustomerVisit {
    pub subject: Subject,
    pub attendee: Attendee,
}

/// Why nothing was done for a customer.
#[derive(Debug, thiserror::Error)]
pub enum CustomerError {
    /// They may not do it alone, or no longer.
    #[error("this can no longer be changed here")]
    NotAllowed,
    /// The booking was changed since they saw it.
    #[error("the booking was changed in the meantime")]
    Stale,
    /// The time is no longer free: somebody else has it.
    #[error("this time was just taken")]
    Taken,
    /// The wish says nothing.
    #[error("the message is empty")]
    EmptyWish,
    #[error("the message is longer than {MAX_WISH} characters")]
    LongWish,
    /// They do so much that nobody could read it all.
    #[error("too many requests")]
    TooMany,
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<PutError> for CustomerError {
    fn from(error: PutError) -> Self {
        match error {
            PutError::Stale { .. } => Self::Stale,
            PutError::Taken(_) => Self::Taken,
            PutError::Invalid(_) => Self::NotAllowed,
            PutError::Storage(error) => Self::Storage(error),
        }
    }
}

impl CustomerVisit {
    /// Whose page has the token with this digest. `None`: nobody's who comes to the booking as it is now.
    pub async fn open(context: &Context, digest: &str) -> Result<Option<Self>, StorageError> {
        let Some(attendee) = attendees::find_by_token(&context.db, digest).await? else { return Ok(None) };
        let subject = Subject::load(context, attendee.business_id, attendee.booking_id).await?;
        // The booking may have another customer by now, of whom the attendees will tell in a moment.
        Ok(subject
            .filter(|subject| comes(&attendee, &subject.booking))
            .map(|subject| Self { subject, attendee }))
    }

    /// The booking whose page it is.
    pub fn booking(&self) -> &Booking {
        &self.subject.booking
    }

    fn rules(&self) -> CustomerRules {
        self.subject.business.customers
    }

    fn is_customer(&self) -> bool {
        self.attendee.role == AttendeeRole::Customer
    }

    /// Whether they may move the booking. Guests change nothing.
    pub fn may_move(&self, now: DateTime<Utc>) -> CustomerPermission {
        if self.is_customer() {
            self.rules().may_move(self.booking(), now)
        } else {
            CustomerPermission::Closed
        }
    }

    /// Whether they may cancel the booking.
    pub fn may_cancel(&self, now: DateTime<Utc>) -> CustomerPermission {
        if self.is_customer() {
            self.rules().may_cancel(self.booking(), now)
        } else {
            CustomerPermission::Closed
        }
    }

    /// Whether they may ask for a change: as long as the business could make one.
    pub fn may_ask(&self, now: DateTime<Utc>) -> bool {
        [self.may_move(now), self.may_cancel(now)].iter().any(|one| *one != CustomerPermission::Closed)
    }

    /// Whether they may answer: as long as it has not begun, and takes place.
    pub fn may_answer(&self, now: DateTime<Utc>) -> bool {
        self.booking().draft.status.occupies() && now < self.booking().interval.start
    }

    /// Whether an answer cancels the booking: where the business wants that, and the customer may.
    pub fn is_cancelled_by(&self, answer: CustomerAnswer, now: DateTime<Utc>) -> bool {
        answer == CustomerAnswer::Declined
            && self.rules().decline_cancels
            && self.may_cancel(now).is_allowed()
    }

    /// Whether mails reach them.
    pub fn may_get_mail(&self, context: &Context) -> bool {
        context.mail.mailer.is_some() && MailAddress::parse(&self.attendee.address).is_ok()
    }

    pub(crate) fn by(&self, now: DateTime<Utc>) -> ChangeContext {
        let actor = Actor::Customer { attendee: self.attendee.id, name: self.attendee.name.clone() };
        ChangeContext { business: self.subject.business.id, actor, now }
    }
}

fn comes(attendee: &Attendee, booking: &Booking) -> bool {
    named_attendees(&booking.draft).any(|(role, _, address)| {
        role == attendee.role && MailAddress::key_of(address) == attendee.address_key
    })
}

/// The times to which the customer may move the booking: of the same length, the nearest first.
pub async fn free_times(context: &Context, visit: &CustomerVisit) -> Result<Vec<BookingTime>, StorageError> {
    let by = visit.by(context.clock.now());
    let mut found = bookings::alternatives_of(&context.db, &by, visit.booking(), visit.subject.zone).await?;
    // The notice that the business wants is for the new time, too.
    let notice = Duration::hours(visit.rules().move_notice_hours.unwrap_or_default().into());
    found.retain(|time| {
        time.interval(visit.subject.zone).is_some_and(|interval| interval.start >= by.now + notice)
    });
    Ok(found)
}

/// Moves the booking, which the customer has seen at `version`, to a time that is free.
pub async fn move_to(
    context: &Context,
    visit: &CustomerVisit,
    time: BookingTime,
    version: i64,
) -> Result<(), CustomerError> {
    let now = context.clock.now();
    if !visit.may_move(now).is_allowed() {
        return Err(CustomerError::NotAllowed);
    }
    let booking = visit.booking();
    // Only what was offered: nobody makes an hour into a week.
    if !free_times(context, visit).await?.contains(&time) {
        return Err(CustomerError::Taken);
    }
    acquire(context, visit, now).await?;
    let draft = BookingDraft { time, ..booking.draft.clone() };
    let by = visit.by(now);
    let texts = BookingTexts::of(&visit.subject).in_language(NOTICE_LANGUAGE);
    let times = (texts.time(&booking.draft.time), texts.time(&time));
    let notice = CustomerNotice::moved(context, booking, times, &by.actor);
    let notices = [notice.notice(context)];
    let linked = LinkedWrite::Notices(&notices);
    let written = bookings::follow(&context.db, &by, &booking.reference, &draft, version, linked).await?;
    context.push(&written.jobs).await;
    Ok(())
}

/// Cancels the booking, which the customer has seen at `version`.
pub async fn cancel(context: &Context, visit: &CustomerVisit, version: i64) -> Result<(), CustomerError> {
    let now = context.clock.now();
    if !visit.may_cancel(now).is_allowed() {
        return Err(CustomerError::NotAllowed);
    }
    let booking = visit.booking();
    let by = visit.by(now);
    let notice = CustomerNotice::of(context, booking, CustomerDeed::Cancelled, &by.actor);
    let notices = [notice.notice(context)];
    let linked = LinkedWrite::Notices(&notices);
    let written = bookings::cancel_linked(&context.db, &by, &booking.reference, version, linked).await?;
    context.push(&written.jobs).await;
    Ok(())
}

/// What managers are told of, this far apart on average for each page, and so often at once.
pub(crate) const NOTICE_RATE: BucketRate = BucketRate { interval: Duration::minutes(10), burst: 5 };

pub(crate) async fn acquire(
    context: &Context,
    visit: &CustomerVisit,
    now: DateTime<Utc>,
) -> Result<(), CustomerError> {
    let bucket = format!("customer:{}", visit.attendee.id);
    let mut tx = context.db.begin().await?;
    match limits::take(&mut tx, &bucket, now, NOTICE_RATE, Duration::zero()).await? {
        RateDecision::At(_) => Ok(tx.commit().await?),
        RateDecision::Wait(_) => Err(CustomerError::TooMany),
    }
}

/// Passes on what the customer would like to be changed.
pub async fn send_wish(context: &Context, visit: &CustomerVisit, wish: &str) -> Result<(), CustomerError> {
    let wish = wish.trim();
    if wish.is_empty() {
        return Err(CustomerError::EmptyWish);
    }
    if wish.chars().count() > MAX_WISH {
        return Err(CustomerError::LongWish);
    }
    let by = visit.by(context.clock.now());
    if !visit.may_ask(by.now) {
        return Err(CustomerError::NotAllowed);
    }
    acquire(context, visit, by.now).await?;
    let booking = visit.booking();
    let mut tx = context.db.begin().await?;
    let detail = json!({ "reference": booking.reference, "wish": wish });
    history::record(&mut tx, &by, "asked for a change", booking.id, &detail).await?;
    let notice = CustomerNotice::of(context, booking, CustomerDeed::WishSent, &by.actor);
    notice.raise(&mut tx, context).await?;
    context.commit(tx, &[]).await?;
    Ok(())
}

/// How long a link to all bookings works.
pub const PORTAL_DAYS: i64 = 7;
/// So many of them an hour are mailed to one address.
const PORTAL_LINKS_AN_HOUR: i64 = 3;

/// Mails whoever is at the page a link to all their bookings with the business; too often, nothing. `NotAllowed`: they cannot be
/// mailed anything.
pub async fn send_portal_link(context: &Context, visit: &CustomerVisit) -> Result<(), CustomerError> {
    if !visit.may_get_mail(context) {
        return Err(CustomerError::NotAllowed);
    }
    let now = context.clock.now();
    let mut tx = context.db.begin().await?;
    let made = customer_links::create_portal(
        &mut tx,
        (visit.subject.business.id, &visit.attendee.address_key),
        (PORTAL_LINKS_AN_HOUR, now - Duration::hours(1)),
        (now, now + Duration::days(PORTAL_DAYS)),
    )
    .await?;
    let Some(token) = made else { return Ok(()) };
    let enqueued = concord_jobs::invitations::write_portal_mail(
        &mut tx,
        context,
        &visit.subject,
        &visit.attendee,
        (&token, PORTAL_DAYS),
    )
    .await?;
    context.commit(tx, enqueued.as_slice()).await?;
    Ok(())
}

/// All bookings of one address with a business.
pub struct CustomerPortal {
    pub business: businesses::Business,
    /// The last to begin first, each with its page.
    pub bookings: Vec<(CustomerVisit, SecretString)>,
}

/// What a link to all bookings shows. `None`: it is none, or over.
pub async fn portal(context: &Context, digest: &str) -> Result<Option<CustomerPortal>, StorageError> {
    let now = context.clock.now();
    let Some((business, key)) = customer_links::find_portal(&context.db, digest, now).await? else {
        return Ok(None);
    };
    let Some(business) = businesses::find(&context.db, business).await? else { return Ok(None) };
    let rows = attendees::of_address(&context.db, business.id, &key).await?;
    let ids: Vec<BookingId> = rows.iter().map(|row| row.booking_id).collect();
    let mut found = bookings::find_by_ids(&context.db, business.id, &ids).await?;
    let (rows, all): (Vec<Attendee>, Vec<Booking>) = rows
        .into_iter()
        .filter_map(|row| found.remove(&row.booking_id).map(|booking| (row, booking)))
        .filter(|(row, booking)| comes(row, booking))
        .unzip();
    let tokens = page_tokens(context, &rows).await?;
    let subjects = Subject::load_all(context, &business, all).await?;
    let visits =
        subjects.into_iter().zip(rows).map(|(subject, attendee)| CustomerVisit { subject, attendee });
    Ok(Some(CustomerPortal { business, bookings: visits.zip(tokens).collect() }))
}

/// The tokens of these attendees' pages, in their order, made where there are none.
async fn page_tokens(context: &Context, rows: &[Attendee]) -> Result<Vec<SecretString>, StorageError> {
    let ids: Vec<AttendeeId> = rows.iter().map(|row| row.id).collect();
    let mut known = customer_links::find_tokens(&context.db, &context.ring, &ids).await?;
    if ids.iter().any(|id| !known.contains_key(id)) {
        let mut tx = context.db.begin().await?;
        for id in &ids {
            if !known.contains_key(id) {
                known.insert(*id, customer_links::token(&mut tx, &context.ring, *id).await?);
            }
        }
        tx.commit().await?;
    }
    Ok(ids.iter().filter_map(|id| known.remove(id)).collect())
}

/// The address of the customer's page of a booking, for whoever passes it on by other means than mail.
pub async fn page_url(context: &Context, booking: &Booking) -> Result<String, ServiceError> {
    let mut tx = context.db.begin().await?;
    if !bookings::hold(&mut tx, booking.id, booking.version).await? {
        return Err(StorageError::Busy.into());
    }
    let all = attendees::reconcile(&mut tx, booking, context.clock.now()).await?;
    let customer = all.iter().find(|one| one.is_present_customer()).or_not_found("customer")?;
    let page = page_address(&mut tx, context, customer.id).await?;
    tx.commit().await?;
    Ok(page)
}

/// Ends the pages of a booking that are known by now.
pub async fn revoke_pages(
    context: &Context,
    by: &ChangeContext,
    booking: &Booking,
) -> Result<(), ServiceError> {
    let mut tx = context.db.begin().await?;
    customer_links::revoke(&mut tx, by.business, booking.id).await?;
    let detail = json!({ "reference": booking.reference });
    history::record(&mut tx, by, "customer links revoked", booking.id, &detail).await?;
    tx.commit().await?;
    Ok(())
}

/// The digest by which a token of a page or of a portal is known.
pub fn digest(token: &str) -> String {
    secret::digest(&SecretString::from(token.to_owned()))
}
