//! Those who sign in: let in, given a link, made something else, shut out.

use askama::Template;
use axum::http::HeaderMap;
use chrono::{DateTime, Utc};
use concord_domain::{
    ids::{StaffId, UserId},
    mail::looks_like_mail_address,
    people::Role,
};
use concord_jobs::language::Language;
use concord_services::{ServiceError, users};
use concord_storage::{
    StorageError,
    people::{self, NewUser, User, UserSettings},
    sign_in,
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::{PATH, SignInLinkReveal, build_page, role_options};
use crate::http::{
    accept_language::accept_language,
    pages::{
        Confirmation, CurrentUser, Faults, Flash, Form, Layout, Manager, NAME_RULE, NavItem, PageError,
        PageForm, PagePath, PageResult, SelectOption, all_staff, confirm_page, exact_time, is_name, isolated,
        render_page, render_refused, reveal, sentence,
    },
};

/// What is typed into the form.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct UserForm {
    pub(super) name: String,
    pub(super) email: String,
    pub(super) role: String,
    pub(super) staff: String,
}

/// The mail is in the language of whoever invites, as far as their browser tells.
pub(super) async fn invite(
    user: Manager,
    headers: HeaderMap,
    PageForm(form): PageForm<UserForm>,
) -> PageResult {
    let mut faults = Faults::default();
    let UserSettings { staff, name, role } = parse_form(&form, &mut faults);
    let email = form.email.trim().to_owned();
    if !looks_like_mail_address(&email) {
        faults.add("email", "Enter a valid email address.");
    }
    if !faults.is_empty() {
        return refuse(&user, form, faults).await;
    }
    let new = NewUser { business: user.business.id, staff, name, email, role };
    let mut tx = user.app.context.db.begin().await?;
    let made = match users::create(&mut tx, &user.change(), &new).await {
        Ok(made) => made,
        Err(StorageError::Exists) => {
            drop(tx);
            let text = "This email is already used by another user.";
            return refuse(&user, form, ("email", text)).await;
        }
        Err(error) => return Err(error.into()),
    };
    let language = Language::choose(None, accept_language(&headers), None);
    let context = &user.app.context;
    let by = user.change();
    let expires_at = by.now + user.app.config.security.invitation;
    let sealed_by = (&*context.mail, &*context.ring);
    let invited = (&user.business, &made);
    let invitation = users::invite(&mut tx, &by, sealed_by, invited, language, expires_at).await?;
    let shown = SignInLinkReveal {
        mailed_to: invitation.mail.is_some().then(|| made.email.clone()),
        ..SignInLinkReveal::new(&user, &made, &invitation.token, expires_at)
    };
    let shown = reveal::store(&mut tx, &user, PATH, &shown).await?;
    context.commit(tx, invitation.mail.as_slice()).await?;
    Ok(reveal::redirect(PATH, shown))
}

async fn refuse(user: &CurrentUser, form: UserForm, faults: impl Into<Faults>) -> PageResult {
    render_refused(user, &build_page(user, Form::refused(form, faults)).await?)
}

async fn find_user(user: &Manager, id: UserId) -> PageResult<User> {
    people::find_user(&user.app.context.db, user.business.id, id)
        .await?
        .filter(|found| found.archived_at.is_none())
        .ok_or(PageError::NotFound("person"))
}

#[derive(Template)]
#[template(path = "user_form.html")]
struct UserFormPage {
    layout: Layout,
    id: UserId,
    email: String,
    form: Form<UserForm>,
    roles: Vec<SelectOption>,
    /// Whom they may stand for.
    linked_staff: Vec<SelectOption>,
    is_you: bool,
    /// In how many browsers they are signed in.
    sessions: usize,
}

impl UserFormPage {
    async fn of(user: &CurrentUser, person: &User, form: Form<UserForm>) -> PageResult<Self> {
        let (db, business) = (&user.app.context.db, user.business.id);
        let mut linked_staff: Vec<SelectOption> = all_staff(db, business)
            .await?
            .iter()
            .map(|staff| SelectOption::new(staff.id.to_string(), &staff.name, &form.staff))
            .collect();
        // Whom they stand for can be kept, also when nobody can be booked with them any more.
        if let Some(id) = person.staff_id
            && !linked_staff.iter().any(|choice| choice.value == id.to_string())
            && let Some(staff) = people::find_staff(db, business, id).await?
        {
            let label = format!("{} (archived)", staff.name);
            linked_staff.push(SelectOption::new(id.to_string(), label, &form.staff));
        }
        let roles = role_options(&form.role);
        let layout = Layout::load(user, NavItem::Settings, format!("Edit {}", person.name)).await?;
        let (email, is_you) = (person.email.clone(), person.id == user.user.id);
        let sessions = sign_in::list_sessions(db, business, person.id, user.app.now()).await?.len();
        Ok(Self { layout, id: person.id, email, form, roles, linked_staff, is_you, sessions })
    }
}

pub(super) async fn edit(user: Manager, PagePath(id): PagePath<UserId>) -> PageResult {
    let person = find_user(&user, id).await?;
    let form = UserForm {
        name: person.name.clone(),
        email: String::new(),
        role: person.role.as_str().to_owned(),
        staff: person.staff_id.map(|id| id.to_string()).unwrap_or_default(),
    };
    render_page(&user, &UserFormPage::of(&user, &person, form.into()).await?)
}

pub(super) async fn update(
    user: Manager,
    PagePath(id): PagePath<UserId>,
    PageForm(form): PageForm<UserForm>,
) -> PageResult {
    let person = find_user(&user, id).await?;
    let mut faults = Faults::default();
    let settings = parse_form(&form, &mut faults);
    if faults.is_empty() {
        match users::change(&user.app.context, &user.change(), id, &settings).await {
            Ok(changed) => {
                let flash = Flash::success(format!("{} was changed.", changed.name));
                // Who has given up the role does not see the page of the people any more.
                let to = if id == user.user.id && changed.role != Role::Manager { "/" } else { PATH };
                return Ok(user.redirect_with_flash(to, &flash));
            }
            Err(ServiceError::NotPossible(reason)) => faults.add("role", sentence(&reason)),
            Err(error) => return Err(error.into()),
        }
    }
    let form = Form::refused(form, faults);
    render_refused(&user, &UserFormPage::of(&user, &person, form).await?)
}

/// What the form asks for, once no fault is added.
fn parse_form(form: &UserForm, faults: &mut Faults) -> UserSettings {
    let name = form.name.trim();
    if !is_name(name) {
        faults.add("name", NAME_RULE);
    }
    let role = form.role.parse().unwrap_or_else(|_| {
        faults.add("role", "Choose a role.");
        Role::Staff
    });
    let staff: Option<StaffId> = form.staff.trim().parse().ok();
    if staff.is_none() && !form.staff.trim().is_empty() {
        faults.add("staff", "Choose a staff member or None.");
    }
    UserSettings { staff, name: name.to_owned(), role }
}

pub(super) async fn create_sign_in_link(user: Manager, PagePath(id): PagePath<UserId>) -> PageResult {
    let person = find_user(&user, id).await?;
    let mut tx = user.app.context.db.begin().await?;
    let by = user.change();
    let expires_at = by.now + user.app.config.security.sign_in_link;
    let token = users::create_sign_in_link(&mut tx, &by, &person, expires_at).await?;
    // The page that it leads to shows it, and nothing else does.
    let shown = SignInLinkReveal::new(&user, &person, &token, expires_at);
    reveal::commit_and_redirect(tx, &user, PATH, &shown).await
}

impl SignInLinkReveal {
    /// A link that is shown, and not mailed.
    fn new(user: &CurrentUser, person: &User, token: &SecretString, expires_at: DateTime<Utc>) -> Self {
        Self {
            name: person.name.clone(),
            url: user.app.absolute_url(&format!("/sign-in/{}", token.expose_secret())),
            until: exact_time(expires_at, user.business.zone),
            mailed_to: None,
        }
    }
}

pub(super) async fn sign_out(user: Manager, PagePath(id): PagePath<UserId>) -> PageResult {
    find_user(&user, id).await?;
    let person = users::end_sessions_of(&user.app.context, &user.change(), id).await?;
    let flash = Flash::success(format!("{} is signed out everywhere.", person.name));
    Ok(user.redirect_with_flash(PATH, &flash))
}

pub(super) async fn confirm_sign_out(user: Manager, PagePath(id): PagePath<UserId>) -> PageResult {
    let person = find_user(&user, id).await?;
    let question = Confirmation::danger(
        ("sign-out", format!("{PATH}/users/{id}/sign-out")),
        format!("Sign {} out everywhere?", isolated(&person.name)),
        "Every browser in which they are signed in is signed out. They can sign in again.",
        "Sign out",
    );
    confirm_page(&user, (NavItem::Settings, format!("{PATH}/users/{id}")), question).await
}

pub(super) async fn archive(user: Manager, PagePath(id): PagePath<UserId>) -> PageResult {
    let person = find_user(&user, id).await?;
    users::archive(&user.app.context, &user.change(), id).await?;
    let flash = Flash::success(format!("{} can no longer sign in.", person.name));
    Ok(user.redirect_with_flash(PATH, &flash))
}

pub(super) async fn confirm_archive(user: Manager, PagePath(id): PagePath<UserId>) -> PageResult {
    let person = find_user(&user, id).await?;
    let question = Confirmation::danger(
        ("archive", format!("{PATH}/users/{id}/archive")),
        format!("Remove {}'s access?", isolated(&person.name)),
        "They are signed out everywhere and can no longer sign in. Their history is kept.",
        "Remove access",
    );
    confirm_page(&user, (NavItem::Settings, PATH), question).await
}
