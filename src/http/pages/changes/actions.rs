//! What people answer to a question about a change, and the taking back of what was followed.

use concord_domain::{ids::RemoteChangeId, sync::remote_change::RemoteChangeKind};
use concord_services::remote_changes::{AnswerError, RemoteChangeAnswer, answer};
use concord_storage::{bookings::PutError, remote_changes::RemoteChange};
use serde::Deserialize;

use super::find_change;
use crate::http::pages::{
    CurrentUser, Flash, PageError, PageForm, PagePath, PageResult, local_path, obstacles::conflict_summary,
};

#[derive(Deserialize)]
pub(super) struct AnswerChangeForm {
    /// The page on which the button was pressed.
    back: Option<String>,
}

impl AnswerChangeForm {
    fn return_path(&self) -> &str {
        self.back.as_deref().and_then(local_path).unwrap_or("/changes")
    }
}

pub(super) async fn follow(
    user: CurrentUser,
    PagePath(id): PagePath<RemoteChangeId>,
    PageForm(form): PageForm<AnswerChangeForm>,
) -> PageResult {
    answer_change(&user, id, &form, RemoteChangeAnswer::Follow).await
}

pub(super) async fn revert(
    user: CurrentUser,
    PagePath(id): PagePath<RemoteChangeId>,
    PageForm(form): PageForm<AnswerChangeForm>,
) -> PageResult {
    answer_change(&user, id, &form, RemoteChangeAnswer::Revert).await
}

pub(super) async fn undo(
    user: CurrentUser,
    PagePath(id): PagePath<RemoteChangeId>,
    PageForm(form): PageForm<AnswerChangeForm>,
) -> PageResult {
    answer_change(&user, id, &form, RemoteChangeAnswer::Undo).await
}

async fn answer_change(
    user: &CurrentUser,
    id: RemoteChangeId,
    form: &AnswerChangeForm,
    with: RemoteChangeAnswer,
) -> PageResult {
    let change = find_change(user, id).await?;
    let flash = match answer(&user.app.context, &user.change(), id, with).await {
        Ok(()) => outcome_flash(&change, with, form.return_path()),
        Err(AnswerError::NotFound) => return Err(PageError::NotFound("change")),
        Err(AnswerError::Overtaken) => Flash::information(
            "Someone already decided this, or the booking has changed since. Nothing was changed.",
        ),
        Err(AnswerError::Refused(PutError::Taken(taken))) => {
            let taken = conflict_summary(&taken, user, user.app.now());
            Flash::failure(format!(
                "{taken}, so the booking was not changed. Edit it to choose another time."
            ))
        }
        Err(AnswerError::Refused(error)) => {
            Flash::failure(format!("That change is not valid, so the booking was not changed: {error}."))
        }
        Err(AnswerError::Storage(error)) => return Err(error.into()),
    };
    Ok(user.redirect_with_flash(form.return_path(), &flash))
}

fn outcome_flash(change: &RemoteChange, with: RemoteChangeAnswer, back: &str) -> Flash {
    let RemoteChange { reference, staff_name, .. } = change;
    match (with, change.kind) {
        (RemoteChangeAnswer::Follow, kind) => {
            let outcome = match kind {
                RemoteChangeKind::Deleted => "was cancelled",
                RemoteChangeKind::Restored => "was confirmed again",
                RemoteChangeKind::Renamed => "was renamed too",
                RemoteChangeKind::Moved | RemoteChangeKind::Resized | RemoteChangeKind::MadeRecurring => {
                    "was changed too"
                }
            };
            Flash::success(format!("Booking {reference} {outcome}."))
                .with_undo(format!("/changes/{}/undo", change.id), &[("back", back.to_owned())])
        }
        (RemoteChangeAnswer::Revert, RemoteChangeKind::Restored) => Flash::success(format!(
            "Booking {reference} is unchanged. Its entry is being deleted from {staff_name}'s calendar again."
        )),
        (RemoteChangeAnswer::Revert, _) => Flash::success(format!(
            "Booking {reference} is unchanged. Its entry in {staff_name}'s calendar is being reverted."
        )),
        (RemoteChangeAnswer::Undo, _) => {
            Flash::success(format!("Undone: booking {reference} is as it was before."))
        }
    }
}
