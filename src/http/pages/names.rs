//! What resources and people are called, for pages that show many of them.

use std::collections::HashMap;

use chrono_tz::Tz;
pub(super) use concord_domain::settings::is_name;
use concord_domain::{
    booking::Booking,
    ids::{BusinessId, ResourceId, StaffId},
};
use concord_storage::{
    Db, Page, StorageError,
    people::{self, Staff},
    resources::{self, Resource},
};

use super::join_names;

/// What a name has to be, for whoever gave another one.
pub(super) const NAME_RULE: &str = "Enter a name of up to 300 characters on one line.";

/// The resources and staff of a business. Those that are archived join when a booking names them.
pub(super) struct NameDirectory {
    business: BusinessId,
    zone: Tz,
    /// Those that can be booked, by name.
    pub resources: Vec<Resource>,
    /// Those that are there, by name.
    pub staff: Vec<Staff>,
    archived_resources: HashMap<ResourceId, Option<Resource>>,
    archived_staff: HashMap<StaffId, Option<Staff>>,
}

impl NameDirectory {
    /// All that are not archived.
    pub(crate) async fn load(db: &Db, business: BusinessId, zone: Tz) -> Result<Self, StorageError> {
        Ok(Self {
            business,
            zone,
            resources: all_resources(db, business).await?,
            staff: all_staff(db, business).await?,
            archived_resources: HashMap::new(),
            archived_staff: HashMap::new(),
        })
    }

    /// Looks up what the bookings name and is archived.
    pub(crate) async fn load_archived(&mut self, db: &Db, bookings: &[Booking]) -> Result<(), StorageError> {
        for booking in bookings {
            self.load_resource(db, booking.draft.resource).await?;
            for id in &booking.draft.staff {
                self.load_staff(db, *id).await?;
            }
        }
        Ok(())
    }

    /// Looks up a resource that may be archived.
    pub(crate) async fn load_resource(&mut self, db: &Db, id: ResourceId) -> Result<(), StorageError> {
        if self.find_resource(id).is_none() && !self.archived_resources.contains_key(&id) {
            let found = resources::find(db, self.business, id).await?;
            self.archived_resources.insert(id, found);
        }
        Ok(())
    }

    /// Looks up a staff member who may be archived.
    pub(crate) async fn load_staff(&mut self, db: &Db, id: StaffId) -> Result<(), StorageError> {
        if self.find_staff(id).is_none() && !self.archived_staff.contains_key(&id) {
            let found = people::find_staff(db, self.business, id).await?;
            self.archived_staff.insert(id, found);
        }
        Ok(())
    }

    fn find_resource(&self, id: ResourceId) -> Option<&Resource> {
        self.resources.iter().find(|resource| resource.id == id)
    }

    fn find_staff(&self, id: StaffId) -> Option<&Staff> {
        self.staff.iter().find(|staff| staff.id == id)
    }

    /// A resource, archived or not.
    pub(crate) fn resource(&self, id: ResourceId) -> Option<&Resource> {
        self.find_resource(id).or_else(|| self.archived_resources.get(&id)?.as_ref())
    }

    /// What a resource is called.
    pub(crate) fn resource_name(&self, id: ResourceId) -> String {
        self.resource(id).map_or_else(|| "an unknown resource".to_owned(), |resource| resource.name.clone())
    }

    /// A staff member, archived or not.
    pub(crate) fn staff_member(&self, id: StaffId) -> Option<&Staff> {
        self.find_staff(id).or_else(|| self.archived_staff.get(&id)?.as_ref())
    }

    /// What a staff member is called.
    pub(crate) fn staff_name(&self, id: StaffId) -> String {
        self.staff_member(id).map_or_else(|| "an unknown person".to_owned(), |staff| staff.name.clone())
    }

    /// What several are called, in one line.
    pub(crate) fn staff_names(&self, ids: &[StaffId]) -> String {
        join_names(&ids.iter().map(|id| self.staff_name(*id)).collect::<Vec<_>>())
    }

    /// The zone in which a booking on the resource is told.
    pub(crate) fn resource_zone(&self, id: ResourceId) -> Tz {
        self.resource(id).and_then(|resource| resource.zone).unwrap_or(self.zone)
    }
}

/// All resources that can be booked.
pub(super) async fn all_resources(db: &Db, business: BusinessId) -> Result<Vec<Resource>, StorageError> {
    Page::collect_all(|page| async move { resources::list(db, business, &page).await }).await
}

/// All staff who are there.
pub(super) async fn all_staff(db: &Db, business: BusinessId) -> Result<Vec<Staff>, StorageError> {
    Page::collect_all(|page| async move { people::list_staff(db, business, &page).await }).await
}

#[cfg(test)]
mod tests {
    use concord_domain::booking::MAX_LINE;

    use super::*;

    #[test]
    fn the_rule_of_names_is_told_as_it_is() {
        assert!(NAME_RULE.contains(&format!("up to {MAX_LINE} characters")));
    }
}
