//! What people answer to a question about a change, and the taking back of what was followed.

use axum::{extract::State, response::Response};
use concord_domain::{ids::OutsideChangeId, sync::outside::OutsideKind};
use concord_jobs::outside::{Answer, AnswerError, answer};
use concord_storage::{bookings::PutError, outside_changes::OutsideChange};
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
    Named(id): Named<OutsideChangeId>,
    Sent(whence): Sent<Whence>,
) -> Result<Response, PageError> {
    carry_out(&app, &user, id, &whence, Answer::Follow).await
}

pub(super) async fn put_back(
    State(app): State<App>,
    user: CurrentUser,
    Named(id): Named<OutsideChangeId>,
    Sent(whence): Sent<Whence>,
) -> Result<Response, PageError> {
    carry_out(&app, &user, id, &whence, Answer::PutBack).await
}

pub(super) async fn undo(
    State(app): State<App>,
    user: CurrentUser,
    Named(id): Named<OutsideChangeId>,
    Sent(whence): Sent<Whence>,
) -> Result<Response, PageError> {
    carry_out(&app, &user, id, &whence, Answer::Undo).await
}

async fn carry_out(
    app: &App,
    user: &CurrentUser,
    id: OutsideChangeId,
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

fn done(change: &OutsideChange, with: Answer, back: &str) -> Flash {
    let OutsideChange { reference, staff_name, .. } = change;
    match (with, change.kind) {
        (Answer::Follow, kind) => {
            let deed = match kind {
                OutsideKind::Deleted => "was cancelled",
                OutsideKind::Restored => "is confirmed again",
                OutsideKind::Renamed => "was renamed too",
                OutsideKind::Moved | OutsideKind::Resized | OutsideKind::MadeRecurring => "was changed too",
            };
            Flash::good(format!("Booking {reference} {deed}."))
                .with_undo(format!("/changes/{}/undo", change.id), &[("back", back.to_owned())])
        }
        (Answer::PutBack, OutsideKind::Restored) => Flash::good(format!(
            "Booking {reference} stays as it is. Its entry is being removed from {staff_name}'s calendar again."
        )),
        (Answer::PutBack, _) => Flash::good(format!(
            "Booking {reference} stays as it is. Its entry is being put back in {staff_name}'s calendar."
        )),
        (Answer::Undo, _) => {
            Flash::good(format!("That was taken back: booking {reference} is as it was before."))
        }
    }
}
