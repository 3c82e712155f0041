//! What was asked for when a person was sent to a consent page, and whether whoever comes back may have it.

use concord_domain::connection::ProviderKind;
use concord_jobs::Context;
use concord_storage::{
    oauth_states::{self, CallbackRights, ConsumedState, OAuthState},
    secret,
};

use super::{CallbackBrowser, ConnectError, OAuthCallback};

/// What was asked for, with the digest that names it. It is used up, unless it only waits for the person.
pub(super) async fn consume_state(
    context: &Context,
    provider: ProviderKind,
    callback: &OAuthCallback,
    browser: CallbackBrowser<'_>,
) -> Result<(OAuthState, String), ConnectError> {
    let digest = secret::digest_bytes(callback.state.as_deref().unwrap_or_default().as_bytes());
    // Whatever anybody makes up never waits for the database's writer.
    if !oauth_states::is_there(&context.db, &digest).await? {
        return Err(ConnectError::UnknownState);
    }
    let now = context.clock.now();
    let mut tx = context.db.begin().await?;
    // A refusal of the provider's connects nothing, so nobody has to confirm it.
    if callback.code.is_some()
        && let Some(state) = oauth_states::find(&mut tx, &digest, now).await?
        && state.api_key_id.is_some()
        && state.provider == provider
    {
        let rights = oauth_states::rights(&mut tx, &state, browser.session, now).await?;
        check_rights(&state, browser, rights)?;
        if !browser.is_confirmed {
            return Err(ConnectError::Unconfirmed { business: state.business_id, staff: state.staff_id });
        }
    }
    let taken = oauth_states::take(&mut tx, &digest, now).await?;
    let rights = match &taken {
        ConsumedState::State(state) => {
            Some(oauth_states::rights(&mut tx, state, browser.session, now).await?)
        }
        _ => None,
    };
    tx.commit().await?;
    match (taken, rights) {
        (ConsumedState::State(state), Some(rights)) if state.provider == provider => {
            // Whoever said no to a program is not asked who they are.
            if state.session_hash.is_some() {
                check_rights(&state, browser, rights)?;
            }
            Ok((state, digest))
        }
        (ConsumedState::Unknown | ConsumedState::State(_), _) => Err(ConnectError::UnknownState),
        (ConsumedState::Expired, _) => Err(ConnectError::ExpiredState),
        (ConsumedState::Used, _) => Err(ConnectError::UsedState),
    }
}

/// Whether whoever came back may connect what was asked for.
pub(super) fn check_rights(
    state: &OAuthState,
    browser: CallbackBrowser<'_>,
    rights: CallbackRights,
) -> Result<(), ConnectError> {
    if let Some(began) = state.session_hash.as_deref() {
        return match rights {
            _ if browser.session != Some(began) => Err(ConnectError::OtherSession),
            CallbackRights { is_signed_in: false, .. } => Err(ConnectError::OtherSession),
            CallbackRights { may_connect: false, .. } => Err(ConnectError::NoRight),
            _ => Ok(()),
        };
    }
    match rights {
        CallbackRights { key_holds: false, .. } => Err(ConnectError::KeyRevoked),
        CallbackRights { may_connect: true, .. } => Ok(()),
        CallbackRights { is_signed_in: true, .. } => Err(ConnectError::NoRight),
        CallbackRights { signs_in: true, .. } => Err(ConnectError::SignInFirst),
        // Whose account it is nobody but its provider knows: whoever consented there has seen for whom, and said yes.
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use concord_domain::ids::{ApiKeyId, BusinessId, StaffId};

    use super::*;

    fn state(session_hash: Option<&str>) -> OAuthState {
        let now = DateTime::UNIX_EPOCH;
        OAuthState {
            business_id: BusinessId::new(now),
            staff_id: StaffId::new(now),
            session_hash: session_hash.map(str::to_owned),
            api_key_id: session_hash.is_none().then(|| ApiKeyId::new(now)),
            provider: ProviderKind::Google,
            sealed_verifier: String::new(),
            return_to: "/".to_owned(),
        }
    }

    #[test]
    fn rights_are_those_of_the_moment() {
        let rights = |bits: [bool; 4]| {
            let [is_signed_in, may_connect, signs_in, key_holds] = bits;
            CallbackRights { is_signed_in, may_connect, signs_in, key_holds }
        };
        let told = |began: Option<&str>, session: Option<&str>, bits: [bool; 4]| {
            let browser = CallbackBrowser { session, is_confirmed: true };
            check_rights(&state(began), browser, rights(bits)).map_err(|error| format!("{error:?}"))
        };
        let refused = |name: &str| Err(name.to_owned());
        for (began, session, bits, expected) in [
            (Some("a"), Some("a"), [true, true, false, true], Ok(())),
            (Some("a"), Some("a"), [true, false, false, true], refused("NoRight")),
            (Some("a"), Some("a"), [false, false, true, true], refused("OtherSession")),
            (Some("a"), Some("b"), [true, true, true, true], refused("OtherSession")),
            (Some("a"), None, [false, false, false, true], refused("OtherSession")),
            (None, None, [false, false, false, true], Ok(())),
            (None, None, [false, false, true, true], refused("SignInFirst")),
            (None, Some("b"), [true, false, false, true], refused("NoRight")),
            (None, Some("b"), [true, true, true, true], Ok(())),
            (None, Some("b"), [true, true, true, false], refused("KeyRevoked")),
        ] {
            assert_eq!(told(began, session, bits), expected, "{began:?} {session:?} {bits:?}");
        }
    }
}
