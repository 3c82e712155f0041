//! Being told of a calendar's changes at once: which channels are opened, renewed and closed, and when.
//!
//! A channel is an agreement with a provider that has an end. Before that end comes a new one, and only then goes the old
//! one, so that no change falls between them. Whatever is wrong with channels, the poll remains.

use chrono::{DateTime, Duration, Utc};

use crate::{ids::PushSubscriptionId, words};

words! {
    /// Where a channel stands.
    PushState {
        /// The provider is being asked for it; what it tells by it is believed already.
        Opening = "opening",
        /// The provider tells of changes by it.
        Open = "open",
        /// The provider does not want to; asked again later.
        Refused = "refused",
        Closed = "closed",
    }
}

/// What is known of a channel that is not over.
#[derive(Clone, Copy, Debug)]
pub struct KnownSubscription {
    pub id: PushSubscriptionId,
    pub state: PushState,
    /// Whether the provider was given the address that this installation has now.
    pub is_ours: bool,
    /// When it is to be renewed, or asked for again if it was refused.
    pub due_at: Option<DateTime<Utc>>,
    /// When the provider ends it.
    pub expires_at: Option<DateTime<Utc>>,
}

/// One thing to do about the channels of a calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushSubscriptionAction {
    /// Open a new one.
    Open,
    /// Give this one a later end.
    Renew(PushSubscriptionId),
    /// End this one at the provider.
    Close(PushSubscriptionId),
    /// It is over without anybody's doing, or nothing was ever agreed.
    Forget(PushSubscriptionId),
}

impl KnownSubscription {
    fn has_ended(&self, now: DateTime<Utc>) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }

    fn is_due(&self, now: DateTime<Utc>) -> bool {
        self.due_at.is_none_or(|due| due <= now)
    }

    /// Whether it tells, or will tell, this installation of changes.
    fn is_serving(&self, now: DateTime<Utc>) -> bool {
        self.state == PushState::Open && self.is_ours && !self.has_ended(now)
    }
}

/// What to do at `now` about the channels of a calendar, in this order: whatever is opened comes before what is closed.
/// `wanted`: whether anybody wants to be told of its changes; `renewable`: whether the provider gives a channel a later
/// end.
pub fn plan(
    wanted: bool,
    renewable: bool,
    known: &[KnownSubscription],
    now: DateTime<Utc>,
) -> Vec<PushSubscriptionAction> {
    let best =
        known.iter().filter(|one| wanted && one.is_serving(now)).max_by_key(|one| (one.expires_at, one.id));
    let is_refused =
        known.iter().any(|one| one.state == PushState::Refused && one.is_ours && !one.is_due(now));
    let opens = wanted && !is_refused && best.is_none_or(|best| best.is_due(now) && !renewable);
    let mut steps = Vec::new();
    if opens {
        steps.push(PushSubscriptionAction::Open);
    } else if let Some(best) = best.filter(|best| renewable && best.is_due(now)) {
        steps.push(PushSubscriptionAction::Renew(best.id));
    }
    for one in known {
        match one.state {
            PushState::Open if one.has_ended(now) => steps.push(PushSubscriptionAction::Forget(one.id)),
            PushState::Open if opens || best.is_none_or(|best| best.id != one.id) => {
                steps.push(PushSubscriptionAction::Close(one.id));
            }
            // Whoever asked for it has died before the answer: there is nothing by which it could be ended.
            PushState::Opening => steps.push(PushSubscriptionAction::Forget(one.id)),
            PushState::Refused if opens || !wanted || !one.is_ours => {
                steps.push(PushSubscriptionAction::Forget(one.id));
            }
            PushState::Open | PushState::Refused | PushState::Closed => {}
        }
    }
    steps
}

/// When something is to be done next about these channels; `None`: never.
pub fn next_check_at(known: &[KnownSubscription], now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let instants = known
        .iter()
        .filter(|one| matches!(one.state, PushState::Open | PushState::Refused))
        .flat_map(|one| [one.due_at, one.expires_at])
        .flatten();
    instants.filter(|at| *at > now).min()
}

/// However soon a channel ends, it is left alone for so long: a provider's clock may be wrong.
const MIN_RENEWAL_DELAY: Duration = Duration::minutes(10);
/// A renewal has so much time at least, if the channel lives long enough.
const MIN_RENEWAL_MARGIN: Duration = Duration::minutes(30);

/// When a channel is renewed that was agreed on at `now` and ends at `end`: when a fifth of its life is left, and up to a
/// tenth sooner by `jitter` in `[0, 1)`, so that what was opened together is not renewed together.
pub fn renewal(now: DateTime<Utc>, end: DateTime<Utc>, jitter: f64) -> DateTime<Utc> {
    let life = (end - now).max(Duration::zero());
    let margin = (life / 5).max(MIN_RENEWAL_MARGIN).min(life / 2);
    #[expect(clippy::cast_possible_truncation, reason = "thousandths")]
    let thousandths = (jitter.clamp(0.0, 1.0) * 1_000.0) as i32;
    (end - margin - life / 10_000 * thousandths).max(now + MIN_RENEWAL_DELAY)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + Duration::days(20_000)
    }

    fn channel(number: u128, state: PushState, due: i64, end: i64) -> KnownSubscription {
        KnownSubscription {
            id: PushSubscriptionId(Uuid::from_u128(number)),
            state,
            is_ours: true,
            due_at: Some(now() + Duration::hours(due)),
            expires_at: (state == PushState::Open).then(|| now() + Duration::hours(end)),
        }
    }

    fn id(number: u128) -> PushSubscriptionId {
        PushSubscriptionId(Uuid::from_u128(number))
    }

    #[test]
    fn one_is_opened_and_then_left_alone() {
        assert_eq!(plan(true, false, &[], now()), [PushSubscriptionAction::Open]);
        assert_eq!(plan(false, false, &[], now()), []);
        let open = channel(1, PushState::Open, 100, 168);
        assert_eq!(plan(true, false, &[open], now()), []);
        assert_eq!(next_check_at(&[open], now()), open.due_at);
    }

    #[test]
    fn the_new_one_comes_before_the_old_one_goes() {
        let due = channel(1, PushState::Open, -1, 30);
        assert_eq!(
            plan(true, false, &[due], now()),
            [PushSubscriptionAction::Open, PushSubscriptionAction::Close(id(1))]
        );
        assert_eq!(plan(true, true, &[due], now()), [PushSubscriptionAction::Renew(id(1))]);
        let new = channel(2, PushState::Open, 100, 168);
        assert_eq!(plan(true, false, &[due, new], now()), [PushSubscriptionAction::Close(id(1))]);
    }

    #[test]
    fn what_nobody_wants_any_more_is_closed() {
        let known = [channel(1, PushState::Open, 100, 168), channel(2, PushState::Refused, 3, 0)];
        assert_eq!(
            plan(false, true, &known, now()),
            [PushSubscriptionAction::Close(id(1)), PushSubscriptionAction::Forget(id(2))]
        );
    }

    #[test]
    fn a_refusal_is_waited_out_and_the_old_one_goes_on_meanwhile() {
        let refused = channel(1, PushState::Refused, 20, 0);
        assert_eq!(plan(true, false, &[refused], now()), []);
        assert_eq!(next_check_at(&[refused], now()), refused.due_at);
        let due = channel(2, PushState::Open, -1, 30);
        assert_eq!(plan(true, false, &[refused, due], now()), []);
        assert_eq!(next_check_at(&[refused, due], now()), refused.due_at);
        let over = channel(1, PushState::Refused, -1, 0);
        assert_eq!(
            plan(true, false, &[over], now()),
            [PushSubscriptionAction::Open, PushSubscriptionAction::Forget(id(1))]
        );
    }

    #[test]
    fn what_ended_or_never_began_is_forgotten_and_replaced() {
        let known = [channel(1, PushState::Open, -9, -1), channel(2, PushState::Opening, 0, 0)];
        let steps = [
            PushSubscriptionAction::Open,
            PushSubscriptionAction::Forget(id(1)),
            PushSubscriptionAction::Forget(id(2)),
        ];
        assert_eq!(plan(true, true, &known, now()), steps);
    }

    #[test]
    fn a_channel_to_an_address_that_was_given_up_is_replaced() {
        let elsewhere = KnownSubscription { is_ours: false, ..channel(1, PushState::Open, 100, 168) };
        assert_eq!(
            plan(true, true, &[elsewhere], now()),
            [PushSubscriptionAction::Open, PushSubscriptionAction::Close(id(1))]
        );
    }

    fn any_channels() -> impl Strategy<Value = Vec<KnownSubscription>> {
        let one = (prop::sample::select(PushState::ALL), any::<bool>(), -48_i64..200, -48_i64..200);
        prop::collection::vec(one, 0..6).prop_map(|all| {
            let numbered = (1_u128..).zip(all);
            numbered
                .map(|(number, (state, is_ours, due, end))| KnownSubscription {
                    is_ours,
                    ..channel(number, state, due, end)
                })
                .collect()
        })
    }

    proptest! {
        #[test]
        fn whoever_wants_to_be_told_is_told_or_was_refused(
            known in any_channels(), renewable in any::<bool>()
        ) {
            let steps = plan(true, renewable, &known, now());
            let closed = |id| steps.contains(&PushSubscriptionAction::Close(id)) || steps.contains(&PushSubscriptionAction::Forget(id));
            let told = steps.contains(&PushSubscriptionAction::Open) || known.iter().any(|one| one.is_serving(now()) && !closed(one.id));
            let refused = known.iter().any(|one| one.state == PushState::Refused && one.is_ours && !one.is_due(now()));
            prop_assert!(told || refused);
        }

        #[test]
        fn a_renewal_is_early_enough_and_not_at_once(minutes in 1_i64..50_000, jitter in 0.0..1.0) {
            let end = now() + Duration::minutes(minutes);
            let at = renewal(now(), end, jitter);
            prop_assert!(at >= now() + MIN_RENEWAL_DELAY);
            prop_assert!(at < end || minutes <= 20);
        }
    }
}
