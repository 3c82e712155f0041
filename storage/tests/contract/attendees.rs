//! Who comes to a booking, and what they were sent of it.

use concord_domain::{
    booking::{Booking, BookingDraft, Customer, Guest},
    customer::CustomerAnswer,
    ids::BookingId,
    invitation::{
        AttendeeRole, InvitationContent, InvitationMethod, InvitationMode, InvitationSettings, SentInvitation,
    },
    job::JobKind,
    mail::{MailKind, MailState},
};
use concord_storage::{
    Db, answers,
    attendees::{self, Attendee, PlannedInvitation},
    bookings,
    businesses::{self, BusinessSettings},
    customer_links, jobs,
    mails::{self, MailSender, NewInvitation, NewMail, StoredMail},
    secret,
    testing::{self, TestDb, at, begin, commit, monday},
};

use crate::{first, precise};

/// A booking of a business that invites, with a customer and a guest.
async fn booking(db: &Db, invitations: InvitationMode) -> Booking {
    let business = testing::business(db).await;
    let mut tx = begin(db).await;
    let invitations = InvitationSettings { mode: invitations, ..InvitationSettings::default() };
    let settings = BusinessSettings { invitations, ..business.settings() };
    businesses::update(&mut tx, business.id, &settings, monday()).await.unwrap();
    commit(tx).await;
    let room = testing::resource(db, &business, 1).await;
    let draft = testing::draft(&room, 60, 120);
    let customer = Customer { email: "Maria@example.org".to_owned(), ..draft.customer.clone() };
    let draft = BookingDraft { guests: vec![guest("rui@example.org")], customer, ..draft };
    testing::booking(db, &business, "tasting", &draft).await
}

fn guest(email: &str) -> Guest {
    Guest { name: "Rui".to_owned(), email: email.to_owned() }
}

async fn reconcile(db: &Db, booking: &Booking) -> Vec<Attendee> {
    let mut tx = begin(db).await;
    assert!(bookings::hold(&mut tx, booking.id, booking.version).await.unwrap());
    let all = attendees::reconcile(&mut tx, booking, precise(1)).await.unwrap();
    commit(tx).await;
    all
}

fn shown(all: &[Attendee]) -> Vec<(AttendeeRole, &str, bool)> {
    all.iter().map(|one| (one.role, one.address.as_str(), one.removed_at.is_none())).collect()
}

pub(crate) fn message(sequence: u32) -> SentInvitation {
    SentInvitation {
        method: InvitationMethod::Request,
        sequence,
        dtstamp: at(sequence.into()),
        content: InvitationContent {
            title: "Tasting".to_owned(),
            time: concord_domain::booking::BookingTime::Timed { starts_at: at(0), ends_at: at(60) },
            place: "Cellar".to_owned(),
            meeting_url: String::new(),
            staff: vec!["Ana".to_owned()],
            party_size: None,
            tentative: false,
        },
    }
}

async fn write(db: &Db, attendee: &Attendee, message: &SentInvitation) -> StoredMail {
    let key = format!("{}:{}", attendee.id, message.sequence);
    let new = NewMail {
        business: attendee.business_id,
        kind: MailKind::Invitation,
        to_address: &attendee.address,
        to_name: &attendee.name,
        subject: "Tasting",
        text: "",
        html: "",
        from_domain: "book.example",
        dedupe_key: &key,
        sender: Some(MailSender {
            name: "Quinta",
            address: "book@quinta.example",
            reply_to: Some("ana@quinta.example"),
        }),
        invitation: Some(NewInvitation { attendee: attendee.id, message, calendar: "BEGIN:VCALENDAR" }),
        reminder: None,
        useful_until: Some(precise(9)),
    };
    let mut tx = begin(db).await;
    mails::create(&mut tx, &new, precise(message.sequence.into())).await.unwrap().unwrap();
    commit(tx).await;
    mails::list(db, attendee.business_id, None, &first(1)).await.unwrap().items.remove(0)
}

async fn begin_sending(db: &Db, mail: &StoredMail) -> bool {
    let mut tx = begin(db).await;
    let begun = mails::begin_sending(&mut tx, mail.id, precise(3)).await.unwrap();
    commit(tx).await;
    begun
}

async fn those_who_come_are_the_ones_whom_the_booking_names(db: &TestDb) {
    let mut booking = booking(db, InvitationMode::Off).await;
    let all = reconcile(db, &booking).await;
    let expected =
        [(AttendeeRole::Customer, "Maria@example.org", true), (AttendeeRole::Guest, "rui@example.org", true)];
    assert_eq!(shown(&all), expected);
    assert_eq!(attendees::of_booking(db, booking.business, booking.id).await.unwrap(), all);
    assert_eq!(attendees::of_replied_booking(db, booking.id).await.unwrap(), all);
    let other = testing::business(db).await;
    assert_eq!(attendees::of_booking(db, other.id, booking.id).await.unwrap(), []);

    // Another spelling is the same address; whoever is named no more keeps the row, and comes back with it.
    "maria@EXAMPLE.org".clone_into(&mut booking.draft.customer.email);
    booking.draft.guests = vec![guest("zoe@example.org")];
    let changed = reconcile(db, &booking).await;
    assert_eq!(changed[0].id, all[0].id);
    let expected = [
        (AttendeeRole::Customer, "maria@EXAMPLE.org", true),
        (AttendeeRole::Guest, "rui@example.org", false),
        (AttendeeRole::Guest, "zoe@example.org", true),
    ];
    assert_eq!(shown(&changed), expected);
    booking.draft.guests = vec![guest("rui@example.org")];
    let back = reconcile(db, &booking).await;
    assert_eq!((back[1].id, back[1].removed_at), (all[1].id, None));
    assert_eq!(reconcile(db, &booking).await, back);
}

async fn what_was_decided_is_kept(db: &TestDb) {
    let booking = booking(db, InvitationMode::Off).await;
    let all = reconcile(db, &booking).await;
    let mut tx = begin(db).await;
    assert_eq!(attendees::ask(&mut tx, booking.business, booking.id).await.unwrap(), all.len() as u64);
    assert_eq!(attendees::ask(&mut tx, booking.business, BookingId(uuid::Uuid::nil())).await.unwrap(), 0);
    let planned = |organizer| PlannedInvitation {
        organizer_address: organizer,
        problem: Some("no such address"),
        asks_anew: false,
    };
    attendees::record_planned(&mut tx, all[0].id, planned(Some("first@quinta.example"))).await.unwrap();
    // Calendars take updates from the first sender alone.
    attendees::record_planned(&mut tx, all[0].id, planned(Some("other@quinta.example"))).await.unwrap();
    commit(tx).await;
    let now = attendees::of_booking(db, booking.business, booking.id).await.unwrap();
    assert_eq!(now.iter().map(|one| one.asked).collect::<Vec<_>>(), [false, true]);
    assert!(now.iter().all(|one| one.invited_by_hand), "that lasts");
    assert_eq!(now[0].organizer_address.as_deref(), Some("first@quinta.example"));
    assert_eq!(now[0].problem.as_deref(), Some("no such address"));
}

async fn mail_that_may_have_left_is_not_taken_back(db: &TestDb) {
    let booking = booking(db, InvitationMode::Off).await;
    let attendee = reconcile(db, &booking).await.remove(0);
    let mail = write(db, &attendee, &message(0)).await;
    assert_eq!(mail.from_address.as_deref(), Some("book@quinta.example"));
    assert_eq!(
        (mail.reply_to.as_deref(), mail.calendar.as_deref()),
        (Some("ana@quinta.example"), Some("BEGIN:VCALENDAR"))
    );
    assert_eq!((mail.invitation.as_ref(), mail.useful_until), (Some(&message(0)), Some(precise(9))));
    assert!(begin_sending(db, &mail).await);
    let mut tx = begin(db).await;
    let unsent = attendees::unsent(&mut tx, attendee.id).await.unwrap();
    assert_eq!(
        unsent.iter().map(|one| (one.id, one.state)).collect::<Vec<_>>(),
        [(mail.id, MailState::Sending)]
    );
    assert!(!attendees::withdraw(&mut tx, mail.id).await.unwrap());
    commit(tx).await;
    assert_eq!(attendees::sending(db, attendee.id).await.unwrap().map(|one| one.id), Some(mail.id));

    // What follows it waits for it, and can be taken back.
    let next = write(db, &attendee, &message(1)).await;
    assert!(!begin_sending(db, &next).await, "the one before may be on its way");
    let mut tx = begin(db).await;
    assert_eq!(attendees::unsent(&mut tx, attendee.id).await.unwrap().len(), 2);
    assert!(attendees::withdraw(&mut tx, next.id).await.unwrap());
    commit(tx).await;
    assert!(!begin_sending(db, &next).await, "it is gone");
}

async fn what_has_reached_them_is_known_when_it_has(db: &TestDb) {
    let booking = booking(db, InvitationMode::Off).await;
    let attendee = reconcile(db, &booking).await.remove(0);
    let mail = write(db, &attendee, &message(4)).await;
    assert!(begin_sending(db, &mail).await);
    let sent =
        async || attendees::of_booking(db, booking.business, booking.id).await.unwrap()[0].sent.clone();
    assert_eq!(sent().await, None);
    let mut tx = begin(db).await;
    mails::record_sent(&mut tx, &mail, precise(5)).await.unwrap();
    commit(tx).await;
    assert_eq!(sent().await, Some(message(4)));
    // An older one that is sent again by hand changes nothing.
    let older = StoredMail { invitation: Some(message(3)), ..mail.clone() };
    let mut tx = begin(db).await;
    mails::record_sent(&mut tx, &older, precise(5)).await.unwrap();
    commit(tx).await;
    assert_eq!(sent().await, Some(message(4)));
    let mails = attendees::mails(db, booking.business, booking.id).await.unwrap();
    assert_eq!((mails.len(), mails[0].state, mails[0].sent_at), (1, MailState::Sent, Some(precise(5))));
    assert_eq!((mails[0].attendee_id, &mails[0].invitation), (attendee.id, &message(4)));
    let other = testing::business(db).await;
    assert_eq!(attendees::mails(db, other.id, booking.id).await.unwrap(), []);
}

async fn booking_enqueues_its_invitations_where_somebody_may_be_invited(db: &TestDb) {
    let due = async |minute| {
        let due = jobs::due(db, at(minute), 50).await.unwrap();
        due.iter().filter(|job| job.kind == JobKind::Invite).count()
    };
    let off = booking(db, InvitationMode::Off).await;
    assert_eq!(due(9).await, 0);
    let invited = booking(db, InvitationMode::Confirmed).await;
    assert_eq!((due(0).await, due(9).await), (0, 1), "it waits for more changes");
    // Whoever was written to hears of what follows, whatever the rule has become.
    let attendee = reconcile(db, &off).await.remove(0);
    let mut tx = begin(db).await;
    let planned =
        PlannedInvitation { organizer_address: Some("book@quinta.example"), problem: None, asks_anew: false };
    attendees::record_planned(&mut tx, attendee.id, planned).await.unwrap();
    commit(tx).await;
    let business = businesses::find(db, off.business).await.unwrap().unwrap();
    let moved = BookingDraft { title: "Dinner".to_owned(), ..off.draft.clone() };
    testing::booking(db, &business, &off.reference, &moved).await;
    assert_eq!(due(9).await, 2);
    assert_ne!(invited.id, off.id);
}

async fn who_is_asked_anew_has_not_answered(db: &TestDb) {
    let booking = booking(db, InvitationMode::Off).await;
    let attendee = reconcile(db, &booking).await.remove(0);
    let answer = async || {
        let all = attendees::of_booking(db, booking.business, booking.id).await.unwrap();
        all.into_iter().find(|one| one.id == attendee.id).unwrap().answer
    };
    let plan = async |asks_anew| {
        let mut tx = begin(db).await;
        let planned = PlannedInvitation { organizer_address: None, problem: None, asks_anew };
        attendees::record_planned(&mut tx, attendee.id, planned).await.unwrap();
        commit(tx).await;
    };
    let mut tx = begin(db).await;
    answers::set(&mut tx, attendee.id, CustomerAnswer::Accepted, precise(1)).await.unwrap();
    commit(tx).await;
    plan(false).await;
    assert_eq!(answer().await, Some(CustomerAnswer::Accepted));
    plan(true).await;
    assert_eq!(answer().await, None);
}

async fn customer_without_an_address_is_known_by_name(db: &TestDb) {
    let business = testing::business(db).await;
    let room = testing::resource(db, &business, 1).await;
    let named = |name: &str| BookingDraft {
        customer: Customer { name: name.to_owned(), ..Customer::default() },
        ..testing::draft(&room, 60, 120)
    };
    let mut booking = testing::booking(db, &business, "tasting", &named("Maria")).await;
    let attendee = reconcile(db, &booking).await.remove(0);
    let ring = testing::keyring();
    let mut tx = begin(db).await;
    let token = customer_links::token(&mut tx, &ring, attendee.id).await.unwrap();
    commit(tx).await;
    reconcile(db, &booking).await;
    assert!(attendees::find_by_token(db, &secret::digest(&token)).await.unwrap().is_some());
    "Peter".clone_into(&mut booking.draft.customer.name);
    reconcile(db, &booking).await;
    assert_eq!(attendees::find_by_token(db, &secret::digest(&token)).await.unwrap(), None);
}

async fn mail_that_may_have_left_counts_when_nobody_will_know(db: &TestDb) {
    let booking = booking(db, InvitationMode::Off).await;
    let attendee = reconcile(db, &booking).await.remove(0);
    let mail = write(db, &attendee, &message(0)).await;
    let mut tx = begin(db).await;
    mails::record_may_have_left(&mut tx, &mail).await.unwrap();
    commit(tx).await;
    let all = attendees::of_booking(db, booking.business, booking.id).await.unwrap();
    assert_eq!(all[0].sent, Some(message(0)));
}

concord_storage::on_both_databases!(
    who_is_asked_anew_has_not_answered,
    customer_without_an_address_is_known_by_name,
    mail_that_may_have_left_counts_when_nobody_will_know,
    those_who_come_are_the_ones_whom_the_booking_names,
    what_was_decided_is_kept,
    mail_that_may_have_left_is_not_taken_back,
    what_has_reached_them_is_known_when_it_has,
    booking_enqueues_its_invitations_where_somebody_may_be_invited,
);
