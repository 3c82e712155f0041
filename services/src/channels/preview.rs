//! What an import would do, event by event, without doing it.

use concord_domain::{
    channel::{
        ItemKind,
        plan::{ChannelPlan, FeedItem, ItemAction, Quarantine},
    },
    ids::{ChannelItemId, OccupancyId},
    interval::Interval,
    occupancy::{Allocation, Placement, allocate_fact},
    platform::PlatformId,
};
use concord_jobs::{
    Context,
    channels::{apply_snapshot::warnings, draft::draft_of},
};
use concord_storage::{
    StorageError,
    bookings::PutError,
    channels::{items::ChannelItem, runs::RunCounts},
    occupancy,
};

use super::import::{ChannelImportRequest, ImportError, OpenedImport, another_platform, open};

/// What would be done with an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreviewItem {
    /// In a word: `new`, `changed`, `cancelled`, `held`, `echo`, `ignored`.
    pub what: &'static str,
    /// What the event is taken for.
    pub kind: ItemKind,
    /// The time that it takes, in UTC.
    pub interval: Interval,
    /// The summary, in one line.
    pub summary: String,
    /// Whether there is no room for it.
    pub conflict: bool,
}

/// What would be done, and nothing was.
#[derive(Clone, Debug, Default)]
pub struct ImportPreview {
    /// What would change, event by event.
    pub events: Vec<PreviewItem>,
    /// What would be counted.
    pub counts: RunCounts,
    /// Events that are over: they are skipped.
    pub over: i64,
    /// What would be kept back.
    pub held: Option<Quarantine>,
    /// What of the file was not parsed, what would be refused, and what speaks against its being of the platform that was named.
    pub warnings: Vec<String>,
    /// The platform that it seems to be of, if that is another one.
    pub told: Option<PlatformId>,
}

/// Says what an import would do.
pub async fn preview(
    context: &Context,
    request: &ChannelImportRequest,
) -> Result<ImportPreview, ImportError> {
    let request = &request.spelled()?;
    let opened = open(context, request).await?;
    let plan = opened.import_context.plan(&opened.parsed.snapshot, context.clock.now());
    let mut preview = preview_plan(context, &opened, plan).await?;
    if let Some(warning) = another_platform(context, request, &opened.parsed) {
        preview.warnings.insert(0, warning.to_string());
        preview.told = warning.told().map(|(told, _)| told.clone());
    }
    Ok(preview)
}

async fn preview_plan(
    context: &Context,
    opened: &OpenedImport,
    plan: ChannelPlan,
) -> Result<ImportPreview, ImportError> {
    let known = |id: &ChannelItemId| opened.import_context.items.iter().find(|item| item.id == *id);
    let mut preview = ImportPreview {
        held: plan.held,
        warnings: warnings(&opened.channel, &opened.import_context, &opened.parsed, &plan),
        ..ImportPreview::default()
    };
    preview.counts.skipped = i64::try_from(plan.unchanged + plan.over).unwrap_or(0);
    preview.over = i64::try_from(plan.over).unwrap_or(0);
    let mut allocated = Vec::new();
    for action in &plan.actions {
        let foreseen = match action {
            ItemAction::Add(item) => new(context, opened, item, None, &mut allocated).await?,
            ItemAction::Change { id, to } => new(context, opened, to, known(id), &mut allocated).await?,
            ItemAction::Lose(id) => known(id).map(|item| gone("cancelled", item)),
            ItemAction::Miss(id) => known(id).map(|item| gone("held", item)),
            ItemAction::Return(_) => None,
        };
        let Some(foreseen) = foreseen else { continue };
        if let Some(refused) = rejection_reason(opened, action, &foreseen) {
            preview.warnings.push(refused);
            preview.counts.skipped += 1;
            preview.events.push(PreviewItem { what: "ignored", conflict: false, ..foreseen });
            continue;
        }
        let counts = &mut preview.counts;
        counts.conflicts += i64::from(foreseen.conflict);
        match foreseen.what {
            "new" => counts.imported += 1,
            "changed" => counts.updated += 1,
            "cancelled" => counts.cancelled += 1,
            _ => counts.skipped += 1,
        }
        preview.events.push(foreseen);
    }
    Ok(preview)
}

/// Why a booking of it would not be written; `None`: it would.
fn rejection_reason(opened: &OpenedImport, action: &ItemAction, foreseen: &PreviewItem) -> Option<String> {
    let (ItemAction::Add(item) | ItemAction::Change { to: item, .. }) = action else { return None };
    if !item.kind.takes() {
        return None;
    }
    let faults = draft_of(&opened.channel, item).check_imported(opened.import_context.zone).err()?;
    let faults = PutError::Invalid(faults);
    let first = foreseen.interval.start.with_timezone(&opened.import_context.zone).date_naive();
    Some(format!("the event starting on {} is not imported: {faults}", first.format("%-d %b %Y")))
}

fn gone(what: &'static str, item: &ChannelItem) -> PreviewItem {
    PreviewItem {
        what,
        kind: item.kind,
        interval: item.interval(),
        summary: item.summary.clone(),
        conflict: false,
    }
}

async fn new(
    context: &Context,
    opened: &OpenedImport,
    item: &FeedItem,
    before: Option<&ChannelItem>,
    allocated: &mut Vec<Allocation>,
) -> Result<Option<PreviewItem>, ImportError> {
    let had = before.is_some_and(|before| before.kind.takes());
    let moved = before.is_none_or(|before| before.interval() != item.interval);
    let what = match (had, item.kind) {
        (false, ItemKind::Echo) => "echo",
        (false, ItemKind::Ignored | ItemKind::Window) => "ignored",
        (true, kind) if !kind.takes() => "cancelled",
        (false, _) => "new",
        (true, _) if moved || before.is_some_and(|before| before.summary != item.summary) => "changed",
        (true, _) => return Ok(None),
    };
    let conflict = item.kind == ItemKind::Reservation
        && moved
        && !has_room(context, opened, item, before.and_then(|before| before.reference.as_deref()), allocated)
            .await?;
    Ok(Some(PreviewItem {
        what,
        kind: item.kind,
        interval: item.interval,
        summary: item.summary.clone(),
        conflict,
    }))
}

/// Whether there is room for it, beside what stands and what the same import has found room for.
async fn has_room(
    context: &Context,
    opened: &OpenedImport,
    item: &FeedItem,
    own: Option<&str>,
    allocated: &mut Vec<Allocation>,
) -> Result<bool, StorageError> {
    let resource = &opened.import_context.resource;
    let wanted = item.interval.padded(resource.buffer_before_minutes, resource.buffer_after_minutes);
    let own = own.unwrap_or_default();
    let mut rows =
        occupancy::units_of_others(&context.db, resource.business_id, resource.id.0, wanted, own).await?;
    rows.extend(allocated.iter().filter(|one| one.interval.overlaps(&wanted)).copied());
    let Placement::Allocated { units, .. } = allocate_fact(&rows, resource.capacity, wanted, 1) else {
        return Ok(false);
    };
    let id = OccupancyId::new(context.clock.now());
    allocated.push(Allocation { id, unit: units.first().copied(), interval: wanted });
    Ok(true)
}
