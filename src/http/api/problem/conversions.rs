//! Which problem an error of the inside is for the caller.

use concord_domain::booking::FieldError;
use concord_providers::DiscoveryError;
use concord_services::{
    ServiceError, connect::ConnectError, remote_changes::AnswerError, webhooks::EndpointError,
};
use concord_storage::{StorageError, bookings::PutError, occupancy::OccupiedInterval};

use super::{
    super::occupancy::{ConflictResponse, FreeTime},
    ApiError, FieldProblem, Kind,
};
use crate::app::admission::AdmissionError;

impl From<StorageError> for ApiError {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::NotFound => Self::new(Kind::NotFound, "It was not found."),
            // Nothing here must be unlike the others but a booking's reference, and who writes that of another booking
            // at the same moment has lost a race.
            StorageError::Exists | StorageError::Overlap | StorageError::Busy => {
                Self::new(Kind::Busy, "The same data is being changed by another request.").retry_after(1)
            }
            StorageError::Overloaded => Self::new(Kind::Busy, "Too many changes are waiting.").retry_after(2),
            StorageError::UnitsTaken { highest } => Self::new(
                Kind::NotPossible,
                format!("Unit {highest} still has a current or upcoming booking; move or cancel it first."),
            ),
            StorageError::StaysAhead => Self::new(
                Kind::NotPossible,
                "The time zone cannot be changed while there are current or upcoming stays.",
            ),
            StorageError::BadCursor => {
                let message = "is not a cursor from a previous page";
                Self::new(Kind::Malformed, format!("cursor {message}.")).with_errors(vec![FieldProblem {
                    field: "cursor".to_owned(),
                    message: message.to_owned(),
                }])
            }
            StorageError::Database(_) | StorageError::Unavailable(_) => {
                Self::unavailable(&error, "The database is unavailable.")
            }
            StorageError::Unwritable(_) => Self::unavailable(&error, "The database is read-only."),
            _ => Self::internal(error),
        }
    }
}

impl From<AdmissionError> for ApiError {
    fn from(error: AdmissionError) -> Self {
        match error {
            AdmissionError::RateLimited { seconds } => {
                let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
                Self::new(Kind::TooMany, "Too many requests from this address or with this key.")
                    .retry_after(seconds)
            }
            AdmissionError::Full => {
                Self::new(Kind::Unavailable, "Too many requests are in progress.").retry_after(5)
            }
            AdmissionError::TooLarge => {
                Self::new(Kind::TooLarge, "The body is larger than this installation accepts.")
            }
            AdmissionError::Storage(error) => error.into(),
        }
    }
}

impl From<FieldError> for FieldProblem {
    fn from(error: FieldError) -> Self {
        Self { field: error.field.to_owned(), message: error.message }
    }
}

impl From<Vec<FieldError>> for ApiError {
    fn from(faults: Vec<FieldError>) -> Self {
        Self::invalid_fields(faults.into_iter().map(FieldProblem::from).collect())
    }
}

impl From<PutError> for ApiError {
    fn from(error: PutError) -> Self {
        match error {
            PutError::Invalid(faults) => faults.into(),
            PutError::Taken(taken) => {
                let mut error = Self::new(Kind::Taken, taken_message(&taken.obstacles));
                error.0.conflicts = taken.obstacles.into_iter().map(ConflictResponse::from).collect();
                error.0.alternatives = Some(taken.alternatives.into_iter().map(FreeTime::from).collect());
                error
            }
            PutError::Stale { current } => Self::stale("booking", current),
            PutError::Storage(error) => error.into(),
        }
    }
}

fn taken_message(obstacles: &[OccupiedInterval]) -> String {
    let [first, others @ ..] = obstacles else { return "The time is taken.".to_owned() };
    let subject = first.subject_name.as_deref().unwrap_or("The resource");
    let others = match others.len() {
        0 => String::new(),
        1 => " and one other".to_owned(),
        others => format!(" and {others} others"),
    };
    let by = match (&first.reference, &first.calendar) {
        (Some(reference), _) => format!("by {reference}"),
        (None, Some(calendar)) => format!("by busy time in the calendar {calendar}"),
        (None, None) => "already".to_owned(),
    };
    format!("{subject} is taken {by}{others}.")
}

impl From<AnswerError> for ApiError {
    fn from(error: AnswerError) -> Self {
        match error {
            AnswerError::NotFound => Self::not_found("change"),
            AnswerError::Overtaken => {
                let words = "Someone already decided this, or the booking has changed since.";
                Self::new(Kind::NotPossible, words)
            }
            AnswerError::Refused(error) => error.into(),
            AnswerError::Storage(error) => error.into(),
        }
    }
}

impl From<ConnectError> for ApiError {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::NotSetUp(_) => Self::new(Kind::NotPossible, error.to_string()),
            ConnectError::Storage(error) => error.into(),
            ConnectError::Provider { .. }
            | ConnectError::MissingScope { .. }
            | ConnectError::Discovery(DiscoveryError::Unreachable { .. }) => {
                Self::new(Kind::Provider, error.to_string())
            }
            _ => Self::new(Kind::Malformed, error.to_string()),
        }
    }
}

impl From<EndpointError> for ApiError {
    fn from(error: EndpointError) -> Self {
        match error {
            EndpointError::Invalid(faults) => faults.into(),
            EndpointError::Service(error) => error.into(),
        }
    }
}

impl From<ServiceError> for ApiError {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::NotFound(what) => Self::not_found(what),
            ServiceError::NotPossible(reason) => Self::new(Kind::NotPossible, reason),
            ServiceError::Provider(reason) => Self::new(Kind::Provider, reason),
            ServiceError::Storage(error) => error.into(),
        }
    }
}
