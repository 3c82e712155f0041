//! Answers that are none, and calendars that are no more: nothing is lost, nothing is there twice, no secret goes
//! anywhere, and the log says what happened.

use chrono::Duration;
use concord_domain::{
    audit::SyncOutcome,
    connection::{ConnectionState, EntryState, ProviderKind},
    ids::ConnectionId,
};
use concord_services::connections as manage;
use concord_storage::testing::TestDb;

use super::{
    everywhere,
    faults::BadResponse,
    grants::{book, own_hour, standing},
};
use crate::{
    connection_choices,
    fixture::{ANA, SyncFixture},
};
use concord_testing::logs;

/// What the sync log says of a bad answer, if anybody notices; `writing`: in answer to a write.
fn words(kind: ProviderKind, bad: BadResponse, writing: bool) -> Option<&'static str> {
    use BadResponse as B;
    use ProviderKind as P;
    Some(match (kind, bad) {
        (_, B::Huge) => "the response is larger than 33554432 bytes",
        (P::Google, B::Html) => "Google's response is no JSON",
        (P::Google, B::Half) => "Google's response is cut short",
        (P::Google, B::Elsewhere) => "Google answered 302 Found",
        (P::Microsoft, B::Html | B::WrongType) => "Microsoft's response is no JSON",
        (P::Microsoft, B::Half) => "Microsoft's response is cut short",
        (P::Microsoft, B::Elsewhere) => "Microsoft answered 302 Found",
        (P::Microsoft, B::NextElsewhere) => "its response leads to another address",
        (P::Caldav, B::Html) => "the CalDAV server's response is no calendar server's, but a page for people",
        // What it says when it has written something is empty.
        (P::Caldav, B::Half) if writing => return None,
        // It comes compressed.
        (P::Caldav, B::Half) => "the response was cut short",
        (P::Caldav, B::Elsewhere) => "it sends us elsewhere (302 Found)",
        // Nobody minds who can read what it says, and nobody else's lists name whole addresses.
        (P::Google | P::Caldav, B::WrongType | B::NextElsewhere) => return None,
    })
}

impl SyncFixture<'_> {
    /// Lets everything be done, what was refused too, which is tried again only after a while.
    async fn settle_in_the_end(&self) {
        for _ in 0..20 {
            self.settle().await;
            let failed = self.failed().await;
            let Some(due) = failed.iter().filter_map(|job| job.due_at).min() else { return };
            self.clock.advance((due - self.clock.now()).max(Duration::zero()));
        }
        panic!("it does not end: {:#?}", self.failed().await);
    }

    /// The next answer is a bad one, and then everything is done; what the sync log says of it.
    async fn survives(&self, bad: BadResponse) -> Vec<String> {
        let (given, said) = (self.outside.bad_answers().await, self.log_lines().await.len());
        self.outside.answers_badly(bad).await;
        self.settle_in_the_end().await;
        assert_eq!(self.outside.bad_answers().await, given + 1, "{bad:?} was not given");
        let lines = self.log_lines().await.into_iter().skip(said);
        lines
            .filter(|line| matches!(line.outcome, SyncOutcome::Retry | SyncOutcome::Failed))
            .map(|line| line.detail)
            .collect()
    }

    /// The next poll is due, and the token holds.
    async fn is_about_to_poll(&self, id: ConnectionId) {
        self.clock.advance(Duration::minutes(16));
        let report = manage::test(&self.context, self.business.id, id).await.expect("it can be tested");
        assert!(report.ok, "{report:?}");
    }

    /// Nothing secret shows in what was logged, and nothing went where it has no business.
    async fn kept_its_secrets(&self) {
        let visits = self.outside.visits_elsewhere().await;
        assert!(visits.is_empty(), "{visits:#?}");
        let logged = logs::written();
        assert!(logged.contains("called a provider"), "nothing was logged");
        let lines = format!("{:?} {:?}", self.log_lines().await, self.open_jobs().await);
        let secrets = self.outside.all_secrets();
        assert!(!secrets.is_empty(), "there are none");
        for secret in secrets {
            assert!(secret.len() > 10, "{secret:?} is no secret");
            let line = logged.lines().find(|line| line.contains(&secret));
            assert!(line.is_none(), "a secret was logged: {line:?}");
            assert!(!lines.contains(&secret), "a secret stands in the sync log");
        }
    }
}

fn check(kind: ProviderKind, bad: BadResponse, writing: bool, said: &[String]) {
    match words(kind, bad, writing) {
        Some(words) => assert!(said.iter().any(|line| line.contains(words)), "{bad:?} {writing}: {said:#?}"),
        None => assert!(said.is_empty(), "{bad:?} {writing}: {said:#?}"),
    }
}

async fn writing_survives_bad_answers(db: &TestDb, kind: ProviderKind) {
    logs::collect();
    let fixture = SyncFixture::with_provider(db, kind).await;
    fixture.connected(&fixture.ana).await;
    book(&fixture, "stands", 1).await;
    fixture.settle().await;
    let mut hour = 1;
    for bad in BadResponse::all(kind).into_iter().filter(|bad| *bad != BadResponse::NextElsewhere) {
        hour += 1;
        let booking = book(&fixture, "is made", hour).await;
        let said = fixture.survives(bad).await;
        check(kind, bad, true, &said);
        let made = ["1: (stands)".to_owned(), format!("{hour}: (is made)")];
        assert_eq!(standing(&fixture).await, made, "{bad:?}");

        book(&fixture, "is changed", hour).await;
        let said = fixture.survives(bad).await;
        // An object is read before it is written again.
        check(kind, bad, kind != ProviderKind::Caldav, &said);
        let changed = ["1: (stands)".to_owned(), format!("{hour}: (is changed)")];
        assert_eq!(standing(&fixture).await, changed, "{bad:?}");
        assert_eq!(fixture.entry_state(&booking).await, EntryState::Synced);

        fixture.cancel(&format!("A-{hour}")).await;
        // Half of nothing is nothing.
        let said = fixture.survives(bad).await;
        if !matches!(bad, BadResponse::Half | BadResponse::WrongType) {
            assert!(!said.is_empty(), "{bad:?}: nothing is said of a removal");
        }
        assert_eq!(standing(&fixture).await, ["1: (stands)"], "{bad:?}");
        assert_eq!(fixture.entry_state(&booking).await, EntryState::Removed);
    }
    let log = fixture.log_lines().await;
    assert!(log.iter().all(|line| !line.detail.starts_with("it had")), "a person's doing? {log:#?}");
    fixture.kept_its_secrets().await;
}

async fn reading_survives_bad_answers(db: &TestDb, kind: ProviderKind) {
    logs::collect();
    let fixture = SyncFixture::with_provider(db, kind).await;
    let id = fixture.connected(&fixture.ana).await;
    own_hour(&fixture, 1).await;
    fixture.poll().await;
    let mut expected = vec!["busy: 60 - 120".to_owned()];
    for (number, bad) in (2..).zip(BadResponse::all(kind)) {
        own_hour(&fixture, number).await;
        fixture.is_about_to_poll(id).await;
        let said = fixture.survives(bad).await;
        check(kind, bad, false, &said);
        expected.push(format!("busy: {} - {}", number * 60, number * 60 + 60));
        fixture.poll().await;
        assert_eq!(fixture.taken(&fixture.ana).await, expected, "{bad:?}");
    }
    // In a read of everything, what is not read must not be taken for gone.
    for bad in BadResponse::all(kind) {
        fixture.is_about_to_poll(id).await;
        manage::resync(&fixture.context, fixture.business.id, id).await.unwrap();
        let said = fixture.survives(bad).await;
        check(kind, bad, false, &said);
        assert_eq!(fixture.taken(&fixture.ana).await, expected, "{bad:?}");
    }
    assert_eq!(fixture.state(id).await, ConnectionState::Active);
    fixture.kept_its_secrets().await;
}

/// What is no answer of the token endpoint ends no grant.
async fn refreshing_survives_bad_answers(db: &TestDb, kind: ProviderKind) {
    logs::collect();
    let fixture = SyncFixture::with_provider(db, kind).await;
    let id = fixture.connected(&fixture.ana).await;
    for (hour, bad) in (2..).zip(BadResponse::all(kind)).filter(|(_, bad)| *bad != BadResponse::NextElsewhere)
    {
        fixture.clock.advance(Duration::minutes(61));
        book(&fixture, "is made", hour).await;
        let said = fixture.survives(bad).await;
        let words = if bad == BadResponse::Huge { "larger than" } else { "the token endpoint" };
        // Nobody minds JSON by another name.
        assert!(
            bad == BadResponse::WrongType || said.iter().any(|line| line.contains(words)),
            "{bad:?}: {said:#?}"
        );
        assert_eq!(fixture.state(id).await, ConnectionState::Active, "{bad:?}");
        assert_eq!(standing(&fixture).await.len(), usize::try_from(hour - 1).unwrap(), "{bad:?}");
    }
    fixture.kept_its_secrets().await;
}

async fn a_calendar_that_is_no_more_is_said_and_nothing_is_lost(db: &TestDb, kind: ProviderKind) {
    let fixture = SyncFixture::with_provider(db, kind).await;
    let further = fixture.outside.further_calendar(ANA).await;
    let id = fixture.connected(&fixture.ana).await;
    let chosen = fixture.calendar(id, &further).await.id;
    connection_choices::set_written(&fixture.context, &fixture.change(), id, chosen).await.unwrap();
    connection_choices::set_reads(&fixture.context, &fixture.change(), id, chosen, true).await.unwrap();
    book(&fixture, "stands", 1).await;
    fixture.settle().await;

    fixture.outside.further_calendar_is_deleted(ANA, &further).await;
    let booking = book(&fixture, "is made", 2).await;
    fixture.settle().await;
    fixture.poll().await;
    book(&fixture, "is made when that is known", 3).await;
    fixture.settle().await;
    assert_eq!(fixture.entry_state(&booking).await, EntryState::Failed);
    let reason = fixture.sync(&booking).await[0].last_error.clone().unwrap_or_default();
    assert!(reason.contains("choose another one"), "{reason}");
    let said: Vec<String> = fixture.log_lines().await.into_iter().map(|line| line.detail).collect();
    assert!(said.iter().any(|line| line.contains("choose another one")), "{said:#?}");
    assert!(fixture.calendar(id, &further).await.missing_since.is_some());
    assert_eq!(fixture.state(id).await, ConnectionState::Active);

    let main = fixture.calendars(id).await.into_iter().find(|one| one.is_primary).unwrap().id;
    connection_choices::set_written(&fixture.context, &fixture.change(), id, main).await.unwrap();
    fixture.settle_in_the_end().await;
    assert_eq!(standing(&fixture).await, ["1: (stands)", "2: (is made)", "3: (is made when that is known)"]);
}

everywhere!(
    writing_survives_bad_answers,
    reading_survives_bad_answers,
    a_calendar_that_is_no_more_is_said_and_nothing_is_lost,
);

/// With those who have a token endpoint.
mod refreshing {
    use super::{everywhere, refreshing_survives_bad_answers};

    everywhere! { @of google Google; refreshing_survives_bad_answers, }
    everywhere! { @of microsoft Microsoft; refreshing_survives_bad_answers, }
}
