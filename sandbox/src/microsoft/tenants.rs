//! Which tenant an account is of. An address says it: each domain is a tenant, and some domains are of private persons,
//! who share one (<https://learn.microsoft.com/en-us/entra/identity-platform/v2-protocols>).

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The tenant of all personal accounts, at the real Microsoft too.
const CONSUMERS: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

const PERSONAL_DOMAINS: [&str; 5] = ["outlook.example", "outlook.com", "hotmail.com", "live.com", "msn.com"];

/// Whether the account is a private person's.
pub(crate) fn is_personal(email: &str) -> bool {
    PERSONAL_DOMAINS.contains(&domain(email))
}

/// The id of the account's tenant.
pub(crate) fn tenant_of(email: &str) -> String {
    if is_personal(email) { CONSUMERS.into() } else { guid(domain(email)) }
}

/// The account's id within its tenant, which never changes.
pub(crate) fn object_id(email: &str) -> String {
    guid(email)
}

/// Whether an account may sign in at `tenant`: one of the three words, a domain, or a tenant's id.
pub(crate) fn admits(tenant: &str, email: &str) -> bool {
    match tenant {
        "common" => true,
        "organizations" => !is_personal(email),
        "consumers" => is_personal(email),
        _ => tenant.eq_ignore_ascii_case(domain(email)) || tenant.eq_ignore_ascii_case(&tenant_of(email)),
    }
}

/// Whether `tenant` is one that any of `accounts` could be of.
pub(crate) fn is_known<'a>(tenant: &str, mut accounts: impl Iterator<Item = &'a String>) -> bool {
    matches!(tenant, "common" | "organizations" | "consumers") || accounts.any(|email| admits(tenant, email))
}

fn domain(email: &str) -> &str {
    email.rsplit_once('@').map_or(email, |(_, domain)| domain)
}

/// A GUID that stays the same for a text.
fn guid(text: &str) -> String {
    let digest = Sha256::digest(text);
    let bytes = std::array::from_fn(|place| digest[place]);
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}

/// A GUID that stays the same for the id of an application.
pub(crate) fn application_id(client: &str) -> Uuid {
    guid(client).parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_admits_its_own_people() {
        let (eva, grace) = ("eva@northwind.example", "grace@outlook.example");
        for (tenant, of_eva, of_grace) in [
            ("common", true, true),
            ("organizations", true, false),
            ("consumers", false, true),
            ("northwind.example", true, false),
            (&tenant_of(eva), true, false),
            (CONSUMERS, false, true),
            ("contoso.example", false, false),
        ] {
            assert_eq!((admits(tenant, eva), admits(tenant, grace)), (of_eva, of_grace), "{tenant}");
        }
    }
}
