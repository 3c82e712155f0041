//! Takes over what a feed that was understood says: plans it, does it, and writes down what came of it.

use chrono::{DateTime, Utc};
use concord_domain::{
    channel::{
        RunOrigin, RunOutcome,
        plan::{Action, Held, Plan},
    },
    ical::Warning,
    ids::{ChannelId, ChannelRunId},
    people::Actor,
};
use concord_storage::{
    channels::{
        self, Channel, Holding,
        items::ChannelItem,
        runs::{self, Counts},
    },
    jobs::ClaimedJob,
};

use super::{
    apply::{Applied, Reading},
    sight::{Surroundings, Understood},
    told,
};
use crate::{Context, job::JobError};

/// Who wants something taken over.
pub(super) struct Source<'a> {
    pub(super) origin: RunOrigin,
    pub(super) actor: Actor,
    /// Whose lease is to be kept.
    pub(super) job: Option<&'a ClaimedJob>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Taken {
    /// Of which channel.
    pub channel: ChannelId,
    /// The reading, if it came to anything.
    pub run: Option<ChannelRunId>,
    /// What was counted.
    pub counts: Counts,
    /// What waits for a second sight.
    pub held: Option<Held>,
    /// For people.
    pub message: String,
    /// What of the file was not understood.
    pub warnings: Vec<String>,
    /// Whether another reading was faster, so that the feed must be looked at again.
    pub(super) overtaken: bool,
}

impl Taken {
    /// What of the file was not understood, in a line.
    pub fn remark(&self) -> Option<String> {
        let first = self.warnings.first()?;
        Some(match self.warnings.len() {
            1 => format!("not all of it was understood: {first}"),
            all => format!("not all of it was understood: {first}, and {} more", all - 1),
        })
    }

    /// Whether any booking is another one now.
    pub fn changed(&self) -> bool {
        self.counts.imported + self.counts.updated + self.counts.cancelled > 0
    }
}

/// Plans and does what follows from a feed that was understood.
pub(super) async fn take_over(
    context: &Context,
    channel: &Channel,
    surroundings: &Surroundings,
    understood: &Understood,
    source: &Source<'_>,
) -> Result<Taken, JobError> {
    let started_at = context.clock.now();
    let plan = surroundings.plan(&understood.snapshot, started_at);
    let run = ChannelRunId::new(started_at);
    let says = |outcome, message, counts, duration_ms| runs::NewRun {
        id: run,
        business: channel.business_id,
        channel: channel.id,
        origin: source.origin,
        actor: &source.actor,
        outcome,
        message,
        counts,
        duration_ms,
    };
    if !plan.actions.is_empty() {
        // First: what is lost names the reading that found it gone.
        let mut tx = context.db.begin().await?;
        let begun = says(RunOutcome::Applied, "under way", Counts::default(), 0);
        runs::record(&mut tx, &begun, started_at).await?;
        tx.commit().await?;
    }
    let known = surroundings.items.iter().map(|item| (item.id, item)).collect();
    let actor = match &source.actor {
        // Read at its time: then it is the platform that changes bookings.
        Actor::System => told::actor(context, channel),
        asked => asked.clone(),
    };
    let by_hand = surroundings.is_part;
    let reading =
        Reading { context, channel, known, run, actor, if_missing: false, by_hand, job: source.job };
    let mut applied = Applied::default();
    let ended = reading.apply(&plan.actions, &mut applied).await;
    let mut counts = applied.counts;
    counts.skipped += i64::try_from(plan.unchanged + plan.over).unwrap_or(0);
    let mut message = told::counted(counts, plan.held.as_ref(), &applied.refused);
    if matches!(source.origin, RunOrigin::Url | RunOrigin::File) {
        // `held::undo` takes back what came by it; what a booking was before is not kept.
        let changed = (counts.updated > 0).then_some("changes cannot be undone");
        for remark in changed.into_iter().chain(understood.beyond.as_deref()) {
            message.push_str("; ");
            message.push_str(remark);
        }
    }
    let taken = Taken {
        channel: channel.id,
        run: (!plan.actions.is_empty()).then_some(run),
        counts,
        held: plan.held,
        warnings: warnings(channel, surroundings, understood, &plan),
        overtaken: applied.overtaken,
        message,
    };
    // What was done stands, and can be undone, whatever kept the rest from being done.
    note(context, channel, &taken, surroundings.is_part, says, started_at).await?;
    if !surroundings.is_part {
        tell_by_hand(context, channel, surroundings, &plan).await?;
    }
    ended?;
    Ok(taken)
}

/// Tells of what came by hand and is not in the feed, or that there is nothing of the kind any more.
async fn tell_by_hand(
    context: &Context,
    channel: &Channel,
    surroundings: &Surroundings,
    plan: &Plan,
) -> Result<(), JobError> {
    let now = context.clock.now();
    let has = |item: &ChannelItem| {
        plan.actions.iter().any(|action| match action {
            Action::Return(id) | Action::Lose(id) | Action::Change { id, .. } => *id == item.id,
            Action::Add(_) | Action::Miss(_) => false,
        })
    };
    let stands =
        |item: &&ChannelItem| item.came_by_hand() && item.kind.takes() && item.ends_at > now && !has(item);
    let stand = surroundings.items.iter().filter(stands).count();
    let mut tx = context.db.begin().await?;
    told::not_in_the_feed(&mut tx, context, channel, stand).await?;
    Ok(tx.commit().await?)
}

async fn note<'a>(
    context: &Context,
    channel: &Channel,
    taken: &'a Taken,
    is_part: bool,
    says: impl Fn(RunOutcome, &'a str, Counts, i64) -> runs::NewRun<'a>,
    started_at: DateTime<Utc>,
) -> Result<(), JobError> {
    let now = context.clock.now();
    let mut tx = context.db.begin().await?;
    if taken.run.is_some() {
        let outcome = match (taken.held, taken.changed()) {
            (Some(_), _) => RunOutcome::Held,
            (None, true) => RunOutcome::Applied,
            (None, false) => RunOutcome::Unchanged,
        };
        let ended = says(outcome, &taken.message, taken.counts, (now - started_at).num_milliseconds());
        runs::record(&mut tx, &ended, now).await?;
    }
    if is_part {
        // It says nothing of what waits for a second sight.
        return Ok(tx.commit().await?);
    }
    let holding = taken.held.map(|held| Holding {
        import_guard: held.import_guard,
        items: i64::try_from(held.items).unwrap_or(i64::MAX),
        of: i64::try_from(held.of).unwrap_or(i64::MAX),
        until: held.until,
    });
    channels::hold(&mut tx, channel.id, holding).await?;
    match &taken.held {
        Some(held) => told::held_back(&mut tx, context, channel, held).await?,
        None => told::let_through(&mut tx, channel, now).await?,
    }
    Ok(tx.commit().await?)
}

/// What was not understood of a feed, each in a line.
pub(super) fn warnings(
    channel: &Channel,
    surroundings: &Surroundings,
    understood: &Understood,
    plan: &Plan,
) -> Vec<String> {
    let endless = match plan.endless {
        0 => None,
        1 => Some("an event does not say when it ends: it stays as it was".to_owned()),
        all => Some(format!("{all} events do not say when they end: they stay as they were")),
    };
    let beyond = if surroundings.is_part && channel.polled { not_in_the_feed(plan) } else { None };
    beyond.into_iter().chain(endless).chain(understood.warnings.iter().map(in_words)).collect()
}

/// What a file brings to a channel whose feed, as it was last read, does not have it.
fn not_in_the_feed(plan: &Plan) -> Option<String> {
    let brings = |action: &&Action| matches!(action, Action::Add(item) if item.kind.takes());
    match plan.actions.iter().filter(brings).count() {
        0 => None,
        1 => Some("the calendar that is read at its times does not have one of these bookings: it stays until that has had it".to_owned()),
        all => Some(format!(
            "the calendar that is read at its times does not have {all} of these bookings: they stay until that has had them"
        )),
    }
}

/// With its line.
fn in_words(warning: &Warning) -> String {
    match warning.line {
        0 => warning.what.clone(),
        line => format!("line {line}: {}", warning.what),
    }
}
