//! Takes over what a feed that was parsed says: plans it, does it, and writes down what came of it.

use concord_domain::{
    channel::{
        RunOrigin, RunOutcome,
        plan::{ChannelPlan, ItemAction, Quarantine},
    },
    ical::Warning,
    ids::{ChannelId, ChannelRunId},
    people::Actor,
};
use concord_storage::{
    channels::{self, Channel, items::ChannelItem, runs::RunCounts},
    in_tx,
    jobs::ClaimedJob,
};

use super::{
    apply::{AppliedActions, ChannelRunContext},
    notices::{self, ChannelNotice},
    snapshot::{ImportContext, ParsedFeed},
};
use crate::{Context, job::JobError};

/// Who wants something taken over.
#[derive(Debug)]
pub struct ImportTrigger<'a> {
    /// What gave rise to it.
    pub origin: RunOrigin,
    /// Who asks for it.
    pub actor: Actor,
    /// Whose lease is to be kept.
    pub job: Option<&'a ClaimedJob>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct ChannelImportOutcome {
    pub channel: ChannelId,
    /// The reading, if it came to anything.
    pub run: Option<ChannelRunId>,
    pub counts: RunCounts,
    /// What waits for a second look.
    pub held: Option<Quarantine>,
    pub message: String,
    /// What of the file was not understood.
    pub warnings: Vec<String>,
    /// Whether another reading was faster, so that the feed must be looked at again.
    pub(super) overtaken: bool,
}

impl ChannelImportOutcome {
    /// What of the file was not understood, in a line.
    pub fn remark(&self) -> Option<String> {
        let first = self.warnings.first()?;
        Some(match self.warnings.len() {
            1 => format!("some events could not be read: {first}"),
            all => format!("some events could not be read: {first}, and {} more", all - 1),
        })
    }

    /// Whether any booking is another one now.
    pub fn changed(&self) -> bool {
        self.counts.imported + self.counts.updated + self.counts.cancelled > 0
    }
}

/// Plans and does what follows from a feed that was parsed.
pub async fn take_over(
    context: &Context,
    channel: &Channel,
    import_context: &ImportContext,
    parsed: &ParsedFeed,
    trigger: &ImportTrigger<'_>,
) -> Result<ChannelImportOutcome, JobError> {
    let known = import_context.items.iter().map(|item| (item.id, item)).collect();
    let run = ChannelRunContext {
        by_hand: import_context.is_part,
        job: trigger.job,
        ..ChannelRunContext::begin(context, channel, known, (trigger.origin, trigger.actor.clone()))
    };
    let plan = import_context.plan(&parsed.snapshot, run.started_at);
    if !plan.actions.is_empty() {
        run.record_start(RunOutcome::Applied).await?;
    }
    let mut applied = AppliedActions::default();
    let ended = run.apply(&plan.actions, &mut applied).await;
    let mut counts = applied.counts;
    counts.skipped += i64::try_from(plan.unchanged + plan.over).unwrap_or(0);
    let mut message = notices::counted(counts, plan.held.as_ref(), &applied.refused);
    if matches!(trigger.origin, RunOrigin::Url | RunOrigin::File) {
        // `quarantine::undo` takes back what came by it; what a booking was before is not kept.
        let changed = (counts.updated > 0).then_some("changes cannot be undone");
        for remark in changed.into_iter().chain(parsed.beyond.as_deref()) {
            message.push_str("; ");
            message.push_str(remark);
        }
    }
    let imported = ChannelImportOutcome {
        channel: channel.id,
        run: (!plan.actions.is_empty()).then_some(run.id),
        counts,
        held: plan.held,
        warnings: warnings(channel, import_context, parsed, &plan),
        overtaken: applied.overtaken,
        message,
    };
    // What was done stands, and can be undone, whatever kept the rest from being done.
    record_outcome(&run, &imported).await?;
    if !import_context.is_part {
        notify_manual_items(context, channel, import_context, &plan).await?;
    }
    ended?;
    Ok(imported)
}

/// Tells of what came by hand and is not in the feed, or that there is nothing of the kind any more.
async fn notify_manual_items(
    context: &Context,
    channel: &Channel,
    import_context: &ImportContext,
    plan: &ChannelPlan,
) -> Result<(), JobError> {
    let now = context.clock.now();
    let has = |item: &ChannelItem| {
        plan.actions.iter().any(|action| match action {
            ItemAction::Return(id) | ItemAction::Lose(id) | ItemAction::Change { id, .. } => *id == item.id,
            ItemAction::Add(_) | ItemAction::Miss(_) => false,
        })
    };
    let stands =
        |item: &&ChannelItem| item.is_manual() && item.kind.takes() && item.ends_at > now && !has(item);
    let stand = import_context.items.iter().filter(stands).count();
    Ok(in_tx!(context.db, tx => notices::not_in_the_feed(&mut tx, context, channel, stand).await)?)
}

async fn record_outcome(
    run: &ChannelRunContext<'_>,
    imported: &ChannelImportOutcome,
) -> Result<(), JobError> {
    let (context, channel) = (run.context, run.channel);
    let mut tx = context.db.begin().await?;
    concord_storage::notices::close_past_conflicts(&mut tx, channel.business_id, context.clock.now()).await?;
    if imported.run.is_some() {
        let outcome = match (imported.held, imported.changed()) {
            (Some(_), _) => RunOutcome::Held,
            (None, true) => RunOutcome::Applied,
            (None, false) => RunOutcome::Unchanged,
        };
        run.record_in(&mut tx, outcome, &imported.message, imported.counts).await?;
    }
    if run.by_hand {
        // It says nothing of what waits for a second look.
        return Ok(tx.commit().await?);
    }
    channels::hold(&mut tx, channel.id, imported.held).await?;
    match &imported.held {
        Some(held) => notices::notify_quarantined(&mut tx, context, channel, held).await?,
        None => ChannelNotice::Quarantined.close(&mut tx, channel, context.clock.now()).await?,
    }
    Ok(tx.commit().await?)
}

/// What was not understood of a feed, each in a line.
pub fn warnings(
    channel: &Channel,
    import_context: &ImportContext,
    parsed: &ParsedFeed,
    plan: &ChannelPlan,
) -> Vec<String> {
    let endless = match plan.endless {
        0 => None,
        1 => Some("1 event has no end: it was not changed".to_owned()),
        all => Some(format!("{all} events have no end: they were not changed")),
    };
    let beyond = if import_context.is_part && channel.polled { not_in_the_feed(plan) } else { None };
    beyond.into_iter().chain(endless).chain(parsed.warnings.iter().map(warning_message)).collect()
}

/// What a file brings to a channel whose feed, as it was last read, does not have it.
fn not_in_the_feed(plan: &ChannelPlan) -> Option<String> {
    let brings = |action: &&ItemAction| matches!(action, ItemAction::Add(item) if item.kind.takes());
    match plan.actions.iter().filter(brings).count() {
        0 => None,
        1 => Some("the synced calendar does not contain 1 of these bookings: it is kept".to_owned()),
        all => Some(format!("the synced calendar does not contain {all} of these bookings: they are kept")),
    }
}

fn warning_message(warning: &Warning) -> String {
    match warning.line {
        0 => warning.what.clone(),
        line => format!("line {line}: {}", warning.what),
    }
}
