use chrono::{DateTime, Duration, Utc};
use concord_storage::{
    Db,
    limits::{self, BucketRate, RateBucket, RateDecision, RefusalBackoff},
    testing::{self, TestDb, begin, commit, monday},
};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};

use crate::at_once;

async fn take(db: &Db, bucket: &str, now: DateTime<Utc>, interval: Duration, burst: u32) -> RateDecision {
    let mut tx = begin(db).await;
    let taken =
        limits::take(&mut tx, bucket, now, BucketRate { interval, burst }, Duration::zero()).await.unwrap();
    commit(tx).await;
    taken
}

/// Whoever is ready to wait a little has a turn of their own at once.
async fn who_is_patient_takes_a_turn_in_advance(db: &TestDb) {
    let (second, rate) = (Duration::seconds(1), BucketRate { interval: Duration::seconds(1), burst: 2 });
    let mut taken = Vec::new();
    for _ in 0..5 {
        let mut tx = begin(db).await;
        taken.push(limits::take(&mut tx, "google", monday(), rate, second * 2).await.unwrap());
        commit(tx).await;
    }
    let at = |seconds| RateDecision::At(monday() + second * seconds);
    assert_eq!(taken, [at(0), at(0), at(1), at(2), RateDecision::Wait(monday() + second * 3)]);
    assert_eq!(
        take(db, "google", monday() + second * 2, second, 2).await,
        RateDecision::Wait(monday() + second * 3)
    );
    assert_eq!(
        take(db, "google", monday() + second * 3, second, 2).await,
        RateDecision::At(monday() + second * 3)
    );
}

async fn a_burst_goes_and_then_one_an_interval(db: &TestDb) {
    let second = Duration::seconds(1);
    for _ in 0..3 {
        assert_eq!(take(db, "google", monday(), second, 3).await, RateDecision::At(monday()));
    }
    assert_eq!(take(db, "google", monday(), second, 3).await, RateDecision::Wait(monday() + second));
    assert_eq!(
        take(db, "google:other", monday(), second, 3).await,
        RateDecision::At(monday()),
        "each bucket for itself"
    );
    assert_eq!(take(db, "google", monday() + second, second, 3).await, RateDecision::At(monday() + second));
    let just_before = monday() + second * 2 - Duration::microseconds(1);
    assert_eq!(take(db, "google", just_before, second, 3).await, RateDecision::Wait(monday() + second * 2));
    for _ in 0..3 {
        let later = monday() + second * 60;
        assert_eq!(take(db, "google", later, second, 3).await, RateDecision::At(later), "a rest fills it");
    }
    let full = take(db, "google", monday() + second * 60, second, 3).await;
    assert_eq!(full, RateDecision::Wait(monday() + second * 61), "but not beyond the burst");
}

async fn a_burst_of_none_is_one(db: &TestDb) {
    let second = Duration::seconds(1);
    assert_eq!(take(db, "google", monday(), second, 0).await, RateDecision::At(monday()));
    assert_eq!(take(db, "google", monday(), second, 0).await, RateDecision::Wait(monday() + second));
}

async fn a_retry_after_holds_everybody_back(db: &TestDb) {
    let (second, until) = (Duration::seconds(1), monday() + Duration::seconds(30));
    for (bucket, fill) in [("new", 0), ("used", 2)] {
        for _ in 0..fill {
            take(db, bucket, monday(), second, 3).await;
        }
        for again in [until, monday() + second] {
            let mut tx = begin(db).await;
            limits::hold_until(&mut tx, bucket, again, BucketRate { interval: second, burst: 3 })
                .await
                .unwrap();
            commit(tx).await;
        }
        assert_eq!(take(db, bucket, monday(), second, 3).await, RateDecision::Wait(until));
        let just_before = until - Duration::microseconds(1);
        assert_eq!(take(db, bucket, just_before, second, 3).await, RateDecision::Wait(until));
        assert_eq!(take(db, bucket, until, second, 3).await, RateDecision::At(until));
        assert_eq!(
            take(db, bucket, until, second, 3).await,
            RateDecision::Wait(until + second),
            "no burst right after"
        );
    }
}

async fn at_once_no_more_than_the_burst_goes(db: &TestDb) {
    let taken = at_once(db, 40, |db, _| async move {
        take(&db, "google", monday(), Duration::milliseconds(250), 7).await
    })
    .await;
    assert_eq!(taken.iter().filter(|one| **one == RateDecision::At(monday())).count(), 7, "{taken:?}");
}

/// In any stretch no more calls go than `burst + stretch / interval`; none is held back for longer than it says, and
/// none that has waited as long as it was told.
async fn never_too_many_and_never_too_few(db: &TestDb) {
    let steps = prop::collection::vec(
        prop_oneof![3 => Just(0_i64), 5 => 0..400_000_i64, 1 => 0..5_000_000_i64],
        1..30,
    );
    let cases = (1..500_000_i64, 1..6_u32, steps);
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRunner::deterministic().new_rng());
    for number in 0..24 {
        let (interval, burst, steps) = cases.new_tree(&mut runner).unwrap().current();
        let (bucket, interval) = (format!("case {number}"), Duration::microseconds(interval));
        let mut now = monday();
        let mut gone: Vec<DateTime<Utc>> = Vec::new();
        for step in steps {
            now += Duration::microseconds(step);
            match take(db, &bucket, now, interval, burst).await {
                RateDecision::At(at) => {
                    assert_eq!(at, now);
                    gone.push(now);
                }
                RateDecision::Wait(until) => {
                    assert!(until > now && until <= now + interval, "{until} at {now}, {interval}");
                    now = until;
                    assert_eq!(take(db, &bucket, now, interval, burst).await, RateDecision::At(now));
                    gone.push(now);
                }
            }
        }
        for (first, from) in gone.iter().enumerate() {
            for (last, to) in gone.iter().enumerate().skip(first) {
                let allowed = i64::from(burst)
                    + (*to - *from).num_microseconds().unwrap() / interval.num_microseconds().unwrap();
                let went = i64::try_from(last - first + 1).unwrap();
                assert!(went <= allowed, "{went} of {allowed} from {from} to {to}: {gone:?}");
            }
        }
    }
}

async fn a_clock_that_is_behind_gains_nothing(db: &TestDb) {
    let second = Duration::seconds(1);
    assert_eq!(take(db, "google", monday(), second, 1).await, RateDecision::At(monday()));
    let behind = monday() - Duration::hours(1);
    assert_eq!(take(db, "google", behind, second, 1).await, RateDecision::Wait(testing::monday() + second));
}

/// The waits of a bucket whose provider refuses: as many seconds as there were refusals, ten times as many for the rest.
async fn refuse(db: &Db, began: i64, now: i64) -> i64 {
    let waits = |refusals| RefusalBackoff {
        waited_for: Duration::seconds(refusals),
        others: Duration::seconds(refusals * 10),
    };
    let mut tx = begin(db).await;
    let until = limits::refused(&mut tx, "google", (after(began), after(now)), waits).await.unwrap();
    commit(tx).await;
    (until - monday()).num_milliseconds()
}

fn after(millis: i64) -> DateTime<Utc> {
    monday() + Duration::milliseconds(millis)
}

/// What somebody waits for, or anything else, wants a turn.
async fn turn(db: &Db, now: i64, is_waited_for: bool) -> Result<bool, i64> {
    let rate = BucketRate { interval: Duration::milliseconds(1), burst: 1_000 };
    let mut tx = begin(db).await;
    let bucket = RateBucket { name: "google", rate, patience: Duration::zero() };
    let taken = limits::take_turn(&mut tx, (bucket, None), is_waited_for, after(now)).await.unwrap();
    commit(tx).await;
    match taken {
        (RateDecision::At(at), is_trial) => {
            assert_eq!(at, after(now));
            Ok(is_trial)
        }
        (RateDecision::Wait(until), _) => Err((until - monday()).num_milliseconds()),
    }
}

async fn answered(db: &Db) -> bool {
    let mut tx = begin(db).await;
    let anybody_waited = limits::answered(&mut tx, "google", after(8_250)).await.unwrap();
    commit(tx).await;
    anybody_waited
}

async fn while_a_provider_refuses_one_call_tries(db: &TestDb) {
    assert_eq!((turn(db, 0, true).await, turn(db, 0, true).await), (Ok(false), Ok(false)));
    assert_eq!(refuse(db, 0, 100).await, 1_100);
    assert_eq!(refuse(db, 50, 150).await, 1_100, "it began before, and tells nothing new");
    assert_eq!((turn(db, 200, true).await, turn(db, 200, false).await), (Err(1_100), Err(10_100)));
    assert_eq!(turn(db, 1_100, true).await, Ok(true));
    assert_eq!(turn(db, 1_100, true).await, Err(6_100), "the others wait for what it hears");
    assert_eq!(refuse(db, 1_100, 1_200).await, 3_200, "twice in a row");
    assert_eq!(turn(db, 3_200, true).await, Ok(true));
    assert_eq!(turn(db, 8_200, true).await, Ok(true), "nobody heard of it: the next one tries");
    assert!(answered(db).await);
    assert_eq!((turn(db, 8_300, true).await, turn(db, 8_300, false).await), (Ok(false), Ok(false)));
    assert!(!answered(db).await);
    assert_eq!(refuse(db, 8_300, 8_400).await, 9_400, "counted anew");
    assert_eq!(turn(db, 18_400, false).await, Ok(true));
}

concord_storage::on_both_databases!(
    while_a_provider_refuses_one_call_tries,
    a_burst_goes_and_then_one_an_interval,
    a_burst_of_none_is_one,
    who_is_patient_takes_a_turn_in_advance,
    a_retry_after_holds_everybody_back,
    at_once_no_more_than_the_burst_goes,
    never_too_many_and_never_too_few,
    a_clock_that_is_behind_gains_nothing,
);
