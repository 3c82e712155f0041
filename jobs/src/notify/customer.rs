//! What customers do from their own pages, told to those whom it concerns.

use concord_domain::{
    audit::HistorySubject,
    booking::Booking,
    customer::CustomerAnswer,
    ids::BusinessId,
    notice::{NoticeKind, name_in_notice},
    people::Actor,
};
use concord_storage::{
    StorageError, Tx,
    notices::{self, Audience, NewNotice},
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

    /// The headline where it is known whose deed it is.
    fn named_headline(self) -> TextKey {
        match self {
            Self::Answered(CustomerAnswer::Accepted) => TextKey::CustomerAcceptedNamed,
            Self::Answered(CustomerAnswer::Tentative) => TextKey::CustomerTentativeNamed,
            Self::Answered(CustomerAnswer::Declined) => TextKey::CustomerDeclinedNamed,
            Self::Moved => TextKey::CustomerMovedNamed,
            Self::Cancelled => TextKey::CustomerCancelledNamed,
            Self::WishSent => TextKey::CustomerAskedNamed,
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

/// What managers are told of it, who see all bookings and their customers. Each deed is told by itself: none of them lasts, so
/// that there is nothing to wait for.
pub struct CustomerNotice {
    content: NoticeContent,
    business: BusinessId,
    named_headline: Option<String>,
}

impl CustomerNotice {
    /// Of something that is done to a booking. `by`: who does it; their name is told where they have one.
    pub fn of(context: &Context, booking: &Booking, deed: CustomerDeed, by: &Actor) -> Self {
        let named = [("reference", booking.reference.as_str().into())];
        let name = match by {
            Actor::Customer { name, .. } => name_in_notice(name),
            _ => None,
        };
        let named_headline = name.map(|name| {
            let named = [("name", name.into()), ("reference", booking.reference.as_str().into())];
            text(NOTICE_LANGUAGE, deed.named_headline(), named)
        });
        let content = NoticeContent {
            kind: deed.kind(),
            subject: (HistorySubject::Booking, booking.id.0),
            headline: text(NOTICE_LANGUAGE, deed.headline(), named.clone()),
            detail: text(NOTICE_LANGUAGE, deed.detail(), named),
            link: format!("/bookings/{}", booking.id),
            dedupe_key: format!("customer:{}:{}", booking.id, context.clock.now().timestamp_micros()),
            alert: None,
        };
        Self { content, business: booking.business, named_headline }
    }

    /// That they have moved a booking. `from`, `to`: when it was and when it is, as people read it.
    pub fn moved(context: &Context, booking: &Booking, (from, to): (String, String), by: &Actor) -> Self {
        let mut notice = Self::of(context, booking, CustomerDeed::Moved, by);
        let named = [("from", from.into()), ("to", to.into())];
        notice.content.detail = text(NOTICE_LANGUAGE, TextKey::CustomerMovedDetail, named);
        notice
    }

    /// To be raised in the transaction that does it.
    pub fn notice(&self, context: &Context) -> NewNotice<'_> {
        NewNotice {
            named_headline: self.named_headline.as_deref(),
            ..self.content.to(context, self.business, Audience::Managers)
        }
    }

    /// The same in a transaction that changes no booking.
    pub async fn raise(&self, tx: &mut Tx, context: &Context) -> Result<(), StorageError> {
        // It waits for others, so that there is nothing to push.
        notices::raise(tx, &self.notice(context), context.clock.now()).await.map(drop)
    }
}
