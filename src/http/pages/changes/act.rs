//! What people answer to a question about a change, and the taking back of what was followed.

use axum::{extract::State, response::Response};
use concord_domain::{ids::RemoteChangeId, sync::remote_change::RemoteChangeKind};
use concord_jobs::remote_change::{Answer, AnswerError, answer};
use concord_storage::{bookings::PutError, remote_changes::RemoteChange};
use serde::Deserialize;

use super::{
    super::{
        PageError,
        asked::{Named, Sent},
        bookings::taken_in_a_line,
        flash::Flash,
        session::{CurrentUser, local_path},
    },
    found,
};
use crate::app::App;

#[derive(Deserialize)]
pub(super) struct Whence {
    /// The page on which the button was pressed.
    back: Option<String>,
}

impl Whence {
    fn path(&self) -> &str {
        self.back.as_deref().and_then(local_path).unwrap_or("/changes")
    }
}

pub(super) async fn follow(
    State(app): State<App>,
    user: CurrentUser,
    Named(id): Named<RemoteChangeId>,
    Sent(whence): Sent<Whence>,
) -> Result<Response, PageError> {
    carry_out(&app, &user, id, &whence, Answer::Follow).await
}

pub(super) async fn revert(
    State(app): State<App>,
    user: CurrentUser,
    Named(id): Named<RemoteChangeId>,
    Sent(whence): Sent<Whence>,
) -> Result<Response, PageError> {
    carry_out(&app, &user, id, &whence, Answer::Revert).await
}

pub(super) async fn undo(
    State(app): State<App>,
    user: CurrentUser,
    Named(id): Named<RemoteChangeId>,
    Sent(whence): Sent<Whence>,
) -> Result<Response, PageError> {
    carry_out(&app, &user, id, &whence, Answer::Undo).await
}

async fn carry_out(
    app: &App,
    user: &CurrentUser,
    id: RemoteChangeId,
    whence: &Whence,
    with: Answer,
) -> Result<Response, PageError> {
    let change = found(app, user, id).await?;
    let flash = match answer(&app.context, &user.change(app), id, with).await {
        Ok(()) => done(&change, with, whence.path()),
        Err(AnswerError::NotFound) => return Err(PageError::NotFound("change")),
        Err(AnswerError::Overtaken) => Flash::information(
            "Somebody has decided about this already, or the booking was changed since. Nothing was done.",
        ),
        Err(AnswerError::Refused(PutError::Taken(taken))) => {
            let taken = taken_in_a_line(&taken, user, app.now());
            Flash::wrong(format!("{taken}, so the booking stays as it is. Edit it to choose another time."))
        }
        Err(AnswerError::Refused(error)) => {
            Flash::wrong(format!("The booking cannot become that, so it stays as it is: {error}."))
        }
        Err(AnswerError::Storage(error)) => return Err(error.into()),
    };
    Ok(user.go(app, whence.path(), &flash))
}

fn done(change: &RemoteChange, with: Answer, back: &str) -> Flash {
    let RemoteChange { reference, staff_name, .. } = change;
    match (with, change.kind) {
        (Answer::Follow, kind) => {
            let deed = match kind {
                RemoteChangeKind::Deleted => "was cancelled",
                RemoteChangeKind::Restored => "is confirmed again",
                RemoteChangeKind::Renamed => "was renamed too",
                RemoteChangeKind::Moved | RemoteChangeKind::Resized | RemoteChangeKind::MadeRecurring => {
                    "was changed too"
                }
            };
            Flash::good(format!("Booking {reference} {deed}."))
                .with_undo(format!("/changes/{}/undo", change.id), &[("back", back.to_owned())])
        }
        (Answer::Revert, RemoteChangeKind::Restored) => Flash::good(format!(
            "Booking {reference} stays as it is. Its entry is being removed from {staff_name}'s calendar again."
        )),
        (Answer::Revert, _) => Flash::good(format!(
            "Booking {reference} stays as it is. Its entry is being put back in {staff_name}'s calendar."
        )),
        (Answer::Undo, _) => {
            Flash::good(format!("That was taken back: booking {reference} is as it was before."))
        }
    }
}
