//! Who is told what: the people of a business, and what each has chosen.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use concord_domain::{
    ids::StaffId,
    notification::{NotificationChoices, NotificationPreferences},
    people::Role,
};
use concord_storage::{
    Db, Page, StorageError,
    businesses::Business,
    notices::Notice,
    notifications,
    people::{self, Staff, User},
};
use uuid::Uuid;

use crate::mail::Recipient;

/// Somebody who is told.
pub(super) struct NoticeRecipient {
    /// A user's id, or that of a staff member who is none.
    pub(super) id: Uuid,
    pub(super) to: Recipient,
    /// Which staff member they are.
    pub(super) staff: Option<StaffId>,
    pub(super) is_manager: bool,
    pub(super) preferences: NotificationPreferences,
    pub(super) last_digest_at: Option<DateTime<Utc>>,
}

impl NoticeRecipient {
    /// Whether a notice is for them.
    pub(super) fn is_concerned(&self, notice: &Notice) -> bool {
        match notice.staff_id {
            Some(staff) => self.staff == Some(staff),
            None => self.is_manager,
        }
    }
}

/// All whom anything is for, and who have an address.
pub(super) async fn load(db: &Db, business: &Business) -> Result<Vec<NoticeRecipient>, StorageError> {
    let choices = notifications::choices(db, business.id).await?;
    let digests = notifications::last_digests(db, business.id).await?;
    let members = Page::collect_all(|page| async move { people::list_staff(db, business.id, &page).await });
    let mut staff: BTreeMap<StaffId, Staff> = members.await?.into_iter().map(|one| (one.id, one)).collect();
    let defaults = choices.get(&business.id.0).cloned().unwrap_or_default();
    let none = NotificationChoices::default();
    let recipient = |id: Uuid, to: Recipient, staff: Option<StaffId>, is_manager: bool| {
        let own = choices.get(&id).unwrap_or(&none);
        NoticeRecipient {
            id,
            to,
            staff,
            is_manager,
            preferences: NotificationPreferences::resolve(own, &defaults, business.zone),
            last_digest_at: digests.get(&id).copied(),
        }
    };
    let mut all = Vec::new();
    for user in people::list_users(db, business.id).await? {
        // Where several sign in as one staff member, the first of them is told as that.
        let member = user.staff_id.and_then(|id| staff.remove(&id));
        let is_manager = user.role == Role::Manager;
        if member.is_some() || is_manager {
            let (id, staff_id) = (user.id.0, member.as_ref().map(|member| member.id));
            all.push(recipient(id, address(user, member), staff_id, is_manager));
        }
    }
    for (id, member) in staff {
        let to = Recipient { address: member.email, name: member.name };
        all.push(recipient(id.0, to, Some(id), false));
    }
    all.retain(|one| !one.to.address.is_empty());
    Ok(all)
}

/// Where a user reads mail: at the address that they work with, if they have one.
fn address(user: User, member: Option<Staff>) -> Recipient {
    let own = member.filter(|member| !member.email.is_empty());
    match own {
        Some(member) => Recipient { address: member.email, name: member.name },
        None => Recipient { address: user.email, name: user.name },
    }
}
