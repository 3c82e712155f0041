//! What customers do from their own pages, told to those whom it concerns.

use concord_domain::{
    audit::HistorySubject, booking::Booking, customer::CustomerAnswer, ids::BusinessId, notice::NoticeKind,
};
use concord_storage::{
    StorageError, Tx,
    notices::{Audience, NewNotice},
};

use super::NoticeContent;
use crate::{
    Context,
    language::{NOTICE_LANGUAGE, TextKey, text},
};

/// What a customer did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CustomerDeed {
    Answered(CustomerAnswer),
    Moved,
    Cancelled,
    /// They wrote what they would like to be changed.
    WishSent,
}

impl CustomerDeed {
    fn kind(self) -> NoticeKind {
        match self {
            Self::Answered(_) => NoticeKind::Answer,
            Self::Moved | Self::Cancelled => NoticeKind::Customer,
            Self::WishSent => NoticeKind::ChangeRequest,
        }
    }

    fn headline(self) -> TextKey {
        match self {
            Self::Answered(CustomerAnswer::Accepted) => TextKey::CustomerAcceptedHeadline,
            Self::Answered(CustomerAnswer::Tentative) => TextKey::CustomerTentativeHeadline,
            Self::Answered(CustomerAnswer::Declined) => TextKey::CustomerDeclinedHeadline,
            Self::Moved => TextKey::CustomerMovedHeadline,
            Self::Cancelled => TextKey::CustomerCancelledHeadline,
            Self::WishSent => TextKey::CustomerAskedHeadline,
        }
    }

    fn detail(self) -> TextKey {
        match self {
            Self::WishSent => TextKey::CustomerAskedDetail,
            Self::Answered(CustomerAnswer::Declined) => TextKey::CustomerDeclinedDetail,
            Self::Answered(_) | Self::Moved | Self::Cancelled => TextKey::CustomerDeedDetail,
        }
    }
}

/// What managers are told of it. Each deed is told by itself: none of them lasts, so that there is nothing to wait for.
pub struct CustomerNotice(NoticeContent, BusinessId);

impl CustomerNotice {
    /// Of something that is done to a booking.
    pub fn of(context: &Context, booking: &Booking, deed: CustomerDeed) -> Self {
        let named = [("reference", booking.reference.as_str().into())];
        let content = NoticeContent {
            kind: deed.kind(),
            subject: (HistorySubject::Booking, booking.id.0),
            headline: text(NOTICE_LANGUAGE, deed.headline(), named.clone()),
            detail: text(NOTICE_LANGUAGE, deed.detail(), named),
            link: format!("/bookings/{}", booking.id),
            dedupe_key: format!("customer:{}:{}", booking.id, context.clock.now().timestamp_micros()),
            alert: None,
        };
        Self(content, booking.business)
    }

    /// To be raised in the transaction that does it.
    pub fn notice(&self, context: &Context) -> NewNotice<'_> {
        self.0.to(context, self.1, Audience::Managers)
    }

    /// The same in a transaction that changes no booking.
    pub async fn raise(&self, tx: &mut Tx, context: &Context) -> Result<(), StorageError> {
        self.0.raise_to_managers(tx, context, self.1).await.map(drop)
    }
}
