//! Consents and tokens: given, used, refreshed, ended.

use chrono::{DateTime, Duration, Utc};
use uuid::Uuid;

use super::dialect::TokenRules;
use super::provider_store::ProviderStore;
use super::records::{AccessTokenRecord, AuthorizationCodeRecord, GrantRecord, RotatedToken, StoreRecord};
use super::refusal::StoreError;

/// How long an authorisation code may wait.
pub(crate) const CODE_LIFETIME_SECONDS: i64 = 600;

/// What an application has in hand after a consent.
#[derive(Debug, Clone)]
pub(crate) struct IssuedTokens {
    pub(crate) grant: GrantRecord,
    pub(crate) access_token: String,
}

/// Whose a request is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AuthenticatedCaller {
    pub(crate) token: String,
    pub(crate) grant: String,
    pub(crate) account: String,
    pub(crate) client: String,
    pub(crate) scope: String,
    /// Whether the token is still good.
    pub(crate) live: bool,
}

impl ProviderStore {
    /// Whether `account` has a consent for `client` that lives.
    pub(crate) fn has_consented(&self, account: &str, client: &str) -> bool {
        self.grants.values().any(|grant| !grant.ended && grant.account == account && grant.client == client)
    }

    /// The first account, by name, with a grant that holds.
    pub(crate) fn connected_account(&self) -> Option<String> {
        self.grants.values().filter(|grant| !grant.ended).map(|grant| grant.account.clone()).min()
    }

    /// Turns a consent into tokens. `used` is the code that it came by, which is spent in the same stroke.
    pub(crate) fn issue(
        &mut self,
        account: &str,
        client: &str,
        scope: &str,
        with_refresh_token: bool,
        used: Option<AuthorizationCodeRecord>,
        now: DateTime<Utc>,
    ) -> Result<IssuedTokens, StoreError> {
        let rules = self.dialect().tokens();
        let grant = GrantRecord {
            id: Uuid::now_v7().to_string(),
            account: account.into(),
            client: client.into(),
            scope: scope.into(),
            refresh_token: with_refresh_token.then(|| rules.refresh_token()),
            replaced: Vec::new(),
            created: now,
            used: Some(now),
            ended: false,
        };
        let token = rules.access_token(&grant, now);
        let access_token = token.token.clone();
        let mut records: Vec<_> = used
            .map(|code| StoreRecord::Code { code: AuthorizationCodeRecord { used: true, ..code } })
            .into_iter()
            .collect();
        records.extend(self.oldest_beyond_limit(&grant).map(|oldest| StoreRecord::Grant { grant: oldest }));
        records.push(StoreRecord::Grant { grant: grant.clone() });
        records.push(StoreRecord::AccessToken { token });
        self.commit(records)?;
        Ok(IssuedTokens { grant, access_token })
    }

    /// A new access token for the grant of `refresh_token`, and a new refresh token where the provider replaces them.
    ///
    /// `None` if there is no such living grant of `client`.
    pub(crate) fn refresh(
        &mut self,
        refresh_token: &str,
        client: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<IssuedTokens>, StoreError> {
        let rules = self.dialect().tokens();
        let is_good = |grant: &&GrantRecord| {
            !grant.ended && grant.client == client && grant.takes(refresh_token, rules.refresh_life, now)
        };
        let Some(grant) = self.grant_of(refresh_token).filter(is_good) else { return Ok(None) };
        let mut grant = GrantRecord { used: Some(now), ..grant.clone() };
        if let Some(life) = rules.replaced_lives {
            grant.replaced.retain(|one| one.until > now);
            let new = grant.refresh_token.replace(rules.refresh_token());
            let until = now + Duration::seconds(life);
            grant.replaced.extend(new.map(|token| RotatedToken { token, until }));
        }
        let token = rules.access_token(&grant, now);
        let access_token = token.token.clone();
        self.commit(vec![StoreRecord::Grant { grant: grant.clone() }, StoreRecord::AccessToken { token }])?;
        Ok(Some(IssuedTokens { grant, access_token }))
    }

    /// Ends the consent that `token` (of either kind) belongs to. As at Google, the application loses the account as a
    /// whole: every other consent of the same person for it ends too. Says whether there was one.
    pub(crate) fn revoke(&mut self, token: &str, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let by_access = || self.access_tokens.get(token).and_then(|token| self.grants.get(&token.grant));
        let Some(grant) = self.grant_of(token).or_else(by_access).filter(|grant| !grant.ended) else {
            return Ok(false);
        };
        let (account, client) = (grant.account.clone(), grant.client.clone());
        self.end_grants(&account, Some(&client), now)?;
        Ok(true)
    }

    /// Ends all consents of `account`, for one application or for all.
    pub(crate) fn end_grants(
        &mut self,
        account: &str,
        client: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let concerned = |grant: &&GrantRecord| {
            !grant.ended && grant.account == account && client.is_none_or(|client| client == grant.client)
        };
        let mut records = Vec::new();
        for grant in self.grants.values().filter(concerned) {
            let tokens =
                self.access_tokens.values().filter(|token| token.grant == grant.id && token.expires_at > now);
            records.extend(tokens.map(|token| ended(token, now)));
            records.push(StoreRecord::Grant { grant: GrantRecord { ended: true, ..grant.clone() } });
        }
        self.commit(records)
    }

    /// Ends one access token; its grant lives on.
    pub(crate) fn expire(&mut self, token: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
        match self.access_tokens.get(token).map(|token| ended(token, now)) {
            Some(record) => self.commit(vec![record]),
            None => Ok(()),
        }
    }

    /// Whose the access token is, be it still good or not.
    pub(crate) fn caller(&self, token: &str, now: DateTime<Utc>) -> Option<AuthenticatedCaller> {
        let known = self.access_tokens.get(token)?;
        let grant = self.grants.get(&known.grant)?;
        Some(AuthenticatedCaller {
            token: token.into(),
            grant: grant.id.clone(),
            account: grant.account.clone(),
            client: grant.client.clone(),
            scope: grant.scope.clone(),
            live: !grant.ended && known.expires_at > now,
        })
    }

    /// The grant that a refresh token belongs to, ended or not.
    pub(crate) fn grant_of(&self, refresh_token: &str) -> Option<&GrantRecord> {
        self.grants.get(self.grant_of_refresh_token.get(refresh_token)?)
    }

    fn oldest_beyond_limit(&self, new: &GrantRecord) -> Option<GrantRecord> {
        new.refresh_token.as_ref()?;
        let mut same: Vec<_> = self
            .grants
            .values()
            .filter(|grant| !grant.ended && grant.refresh_token.is_some())
            .filter(|grant| grant.account == new.account && grant.client == new.client)
            .collect();
        same.sort_by_key(|grant| grant.created);
        let oldest = same.first().filter(|_| same.len() >= self.dialect().tokens().most_refresh_tokens)?;
        Some(GrantRecord { ended: true, ..(*oldest).clone() })
    }
}

impl GrantRecord {
    /// Whether `token` is its refresh token, or one that still works in its stead.
    fn takes(&self, token: &str, life: i64, now: DateTime<Utc>) -> bool {
        let used = self.used.unwrap_or(self.created);
        now - used < Duration::seconds(life)
            && (self.refresh_token.as_deref() == Some(token)
                || self.replaced.iter().any(|one| one.token == token && one.until > now))
    }
}

impl TokenRules {
    fn refresh_token(&self) -> String {
        format!("{}{}", self.refresh_prefix, secret())
    }

    fn access_token(&self, grant: &GrantRecord, now: DateTime<Utc>) -> AccessTokenRecord {
        AccessTokenRecord {
            token: format!("{}{}", self.access_prefix, secret()),
            grant: grant.id.clone(),
            expires_at: now + Duration::seconds(self.access_life),
        }
    }
}

fn ended(token: &AccessTokenRecord, now: DateTime<Utc>) -> StoreRecord {
    StoreRecord::AccessToken { token: AccessTokenRecord { expires_at: now, ..token.clone() } }
}

/// 32 characters that nobody guesses.
pub(crate) fn secret() -> String {
    Uuid::new_v4().simple().to_string()
}
