//! What speaks against an address, before a platform is connected by it.

use concord_domain::{
    ids::{ChannelId, ResourceId},
    platform::Platform,
};
use concord_jobs::Context;
use concord_storage::{ChangeContext, StorageError, channels, resources};
use secrecy::SecretString;

use super::{
    ChannelError,
    address::checked,
    address_warnings::{AddressWarning, another_author, of_another_host},
    import::{ChannelImportRequest, ImportError, ImportSource, check_readable},
};

/// What is to be connected.
#[derive(Clone, Copy, Debug)]
pub struct AddressCandidate<'a> {
    /// What is sold there.
    pub resource: ResourceId,
    /// The platform that it is for.
    pub platform: &'a Platform,
    /// The channel that gets another address; `None`: a new one.
    pub channel: Option<ChannelId>,
    /// The address, as it was typed.
    pub address: &'a SecretString,
}

/// All that speaks against an address. Nothing where it cannot be an address at all, which is said by whoever makes the
/// channel.
pub async fn warnings(
    context: &Context,
    by: &ChangeContext,
    asked: &AddressCandidate<'_>,
) -> Result<Vec<AddressWarning>, ChannelError> {
    let Ok(spelled) = checked(context, asked.address, Some(asked.platform)).await else {
        return Ok(Vec::new());
    };
    let mut warnings = Vec::from_iter(of_another_host(context, asked.platform, &spelled));
    let mut readers = channels::of_address(&context.db, by.business, &spelled).await?;
    readers.retain(|one| Some(one.id) != asked.channel);
    let is_beside = |one: &channels::Channel| {
        one.resource_id == asked.resource && one.platform == asked.platform.id.as_str()
    };
    if readers.iter().any(is_beside) {
        // The very channel again, which is refused by whoever makes it.
        return Ok(warnings);
    }
    if let Some(other) = readers.iter().find(|one| one.resource_id == asked.resource) {
        let resource = resource_name(context, by, other.resource_id).await?;
        let platform = context.platforms.find(&other.platform);
        let name = platform.map_or_else(|| other.platform.clone(), |platform| platform.name.clone());
        warnings.push(AddressWarning::ReadAs { resource, name });
    }
    if let Some(other) = readers.iter().find(|one| one.resource_id != asked.resource) {
        warnings
            .push(AddressWarning::ReadFor { resource: resource_name(context, by, other.resource_id).await? });
    }
    let all = channels::list(&context.db, by.business).await?;
    if asked.channel.is_none() && all.iter().any(|one| is_beside(one) && one.polled && one.has_import) {
        let resource = resource_name(context, by, asked.resource).await?;
        warnings.push(AddressWarning::SecondListing { resource, name: asked.platform.name.clone() });
    }
    let read = warning_from_content(context, by, asked, spelled).await?;
    warnings.extend(read.filter(|read| warnings.iter().all(|warning| warning.question() != read.question())));
    Ok(warnings)
}

/// What the calendar itself says.
async fn warning_from_content(
    context: &Context,
    by: &ChangeContext,
    asked: &AddressCandidate<'_>,
    spelled: SecretString,
) -> Result<Option<AddressWarning>, ChannelError> {
    let request = ChannelImportRequest {
        business: by.business,
        resource: asked.resource,
        platform: asked.platform.clone(),
        from: ImportSource::Address(spelled),
        actor: by.actor.clone(),
        confirmed: false,
    };
    let product = match check_readable(context, &request).await {
        Ok(product) => product,
        Err(ImportError::Unread(failure)) => return Ok(Some(AddressWarning::Unread(failure))),
        Err(ImportError::Storage(error)) => return Err(error.into()),
        Err(ImportError::NoResource | ImportError::Stopped(_) | ImportError::NeedsConfirmation(_)) => {
            return Ok(None);
        }
    };
    Ok(another_author(context, asked.platform, &product))
}

async fn resource_name(
    context: &Context,
    by: &ChangeContext,
    resource: ResourceId,
) -> Result<String, StorageError> {
    let found = resources::find(&context.db, by.business, resource).await?;
    Ok(found.map_or_else(|| "another resource".to_owned(), |resource| resource.name))
}
