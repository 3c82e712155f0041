//! What the pages do with what is sent to them, without a browser: the stories of people are told in `tests/browser`.

use concord_domain::people::{Actor, Role};
use concord_services::users;
use concord_storage::{
    ChangeContext, PageRequest, history,
    people::{self, UserSettings},
    testing::TestDb,
};
use serde_json::json;

use crate::{
    page_client::{PageClient, person, person_at},
    test_app::{TestApp, hour},
};

async fn what_was_archived_is_restored_at_once_or_from_the_list(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let (room, ana) = (test_app.resource(1).await, test_app.staff("Ana").await);
    let mut visitor = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    let known = visitor.cookies.clone();
    for (list, thing, name, restore) in [
        ("/settings/resources", format!("/settings/resources/{}", room.id), "Sea View", "it under Resources"),
        ("/settings/people", format!("/settings/people/staff/{ana}"), "Ana", "them under People"),
    ] {
        let question = visitor.get(&format!("{thing}/archive")).await.text;
        assert!(question.contains(name) && question.contains(restore), "{question}");
        visitor.cookies.clone_from(&known);
        let sent = visitor.send(&format!("{thing}/archive"), &[]).await;
        assert_eq!(sent.leads_to(), list);
        let form = format!("action=\"{thing}/restore\"");
        let folded = visitor.get(list).await.text;
        assert!(folded.contains("Archived (1)"), "{folded}");
        assert_eq!(folded.matches(&form).count(), 1, "{folded}");
        visitor.cookies.extend(sent.cookies());
        let told = visitor.get(list).await.text;
        assert!(told.contains(">Undo<"), "{told}");
        assert_eq!(told.matches(&form).count(), 2, "{told}");
        visitor.cookies.clone_from(&known);
        visitor.send(&format!("{thing}/restore"), &[]).await.leads_to();
        assert!(!visitor.get(list).await.text.contains("Archived ("));
        assert_eq!(visitor.get(&thing).await.status, 200);
    }
    let staff = PageClient::signed_in(&test_app, &person(&test_app, Role::Staff, None).await).await;
    assert_eq!(staff.send(&format!("/settings/resources/{}/restore", room.id), &[]).await.status, 403);
    test_app.stop().await;
}

async fn who_signs_in_comes_to_where_they_wanted_to_go(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let user = person(&test_app, Role::Staff, None).await;
    let mut visitor = PageClient::signed_out(&test_app);
    let refused = visitor.get("/bookings?q=maria%20silva").await;
    let explained = visitor.get(refused.leads_to()).await;
    assert_eq!(explained.status, 401);
    visitor.cookies = explained.cookies();
    assert_eq!(visitor.enter(&user).await, "/bookings?q=maria%20silva");
    assert!(visitor.cookies.contains(&"concord_next=".to_owned()), "{:?}", visitor.cookies);

    for no_way in ["//evil.example", "/live/needs"] {
        let mut visitor = PageClient::signed_out(&test_app);
        let next: String = url::form_urlencoded::byte_serialize(no_way.as_bytes()).collect();
        visitor.cookies = visitor.get(&format!("/sign-in?next={next}")).await.cookies();
        assert_eq!(visitor.enter(&user).await, "/", "{no_way}");
    }
    test_app.stop().await;
}

async fn a_person_is_made_something_else_and_comes_back_after_removal(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let ana = test_app.staff("Ana").await.to_string();
    let me = person(&test_app, Role::Manager, None).await;
    let manager = PageClient::signed_in(&test_app, &me).await;
    let user = person(&test_app, Role::Staff, None).await;
    let path = format!("/settings/people/users/{}", user.id);
    assert!(manager.get(&path).await.text.contains("Signs in as staff@example.org"));
    let change = [("name", "Nina Novak"), ("role", "manager"), ("staff", ana.as_str())];
    assert_eq!(manager.send(&path, &change).await.leads_to(), "/settings/people");
    let found = async || {
        let found = people::find_user(test_app.db(), test_app.business.id, user.id).await.unwrap().unwrap();
        (found.name, found.role, found.staff_id.map(|id| id.to_string()), found.archived_at.is_some())
    };
    assert_eq!(found().await, ("Nina Novak".to_owned(), Role::Manager, Some(ana.clone()), false));

    let mine = format!("/settings/people/users/{}", me.id);
    let given_up = manager.send(&mine, &[("name", "Nina"), ("role", "staff"), ("staff", "")]).await;
    assert_eq!(given_up.leads_to(), "/", "there is another manager, and theirs is no page of managers");
    let last = PageClient::signed_in(&test_app, &user).await;
    let refused = last.send(&path, &[("name", "Nina"), ("role", "staff"), ("staff", "")]).await;
    assert_eq!(refused.status, 422);
    assert!(refused.text.contains("The last manager cannot be removed"), "{}", refused.text);
    assert_eq!(last.send(&format!("{path}/archive"), &[]).await.status, 409);
    let again = [("name", "Nora"), ("role", "manager"), ("staff", "")];
    assert_eq!(last.send(&mine, &again).await.leads_to(), "/settings/people");
    for bad in [[("role", "owner"), ("staff", "")], [("role", "staff"), ("staff", "nobody")]] {
        let fields = [&bad[..], &[("name", "Zoë"), ("email", "zoe@example.org")]].concat();
        assert_eq!(last.send("/settings/people/users", &fields).await.status, 422, "{bad:?}");
    }

    manager.send(&format!("{path}/archive"), &[]).await.leads_to();
    assert!(found().await.3);
    let again =
        [("name", "Nina"), ("email", "staff@example.org"), ("role", "staff"), ("staff", ana.as_str())];
    let page = manager.send_and_follow("/settings/people/users", &again).await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(page.text.contains("/sign-in/cl_"), "{}", page.text);
    assert_eq!(found().await, ("Nina".to_owned(), Role::Staff, Some(ana), false));
    test_app.stop().await;
}

async fn who_is_nobody_of_the_staff_is_offered_nothing_that_leads_nowhere(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let (room, ana) = (test_app.resource(1).await, test_app.staff("Ana").await);
    let body =
        json!({ "resource": room.id, "starts_at": hour(1, 9), "ends_at": hour(1, 10), "staff": [ana] });
    test_app.api.put("/api/v1/bookings/one", body).await.expect(201);
    let nobody = PageClient::signed_in(&test_app, &person(&test_app, Role::Staff, None).await).await;
    let manager = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    for (visitor, is_offered) in [(nobody, false), (manager, true)] {
        assert_eq!(visitor.get("/feeds").await.text.contains("New feed"), is_offered);
        for path in ["/", "/bookings/one"] {
            let page = visitor.get(path).await.text;
            assert_eq!(page.contains("Connect a calendar"), is_offered, "{path}: {page}");
        }
    }
    test_app.stop().await;
}

async fn whoever_is_signed_in_finds_on_from_an_error(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let visitor = PageClient::signed_in(&test_app, &person(&test_app, Role::Staff, None).await).await;
    for (path, status, words) in [
        ("/nowhere", 404, "Not found"),
        ("/bookings/none", 404, "This booking does not exist"),
        ("/settings/people", 403, "Managers only"),
        ("/bookings?after=nonsense", 400, "Invalid request"),
        ("/oauth/calendar/google/callback?state=made-up", 400, "Calendar not connected"),
    ] {
        let page = visitor.get(path).await;
        assert_eq!(page.status, status, "{path}");
        assert!(page.text.contains(words) && page.text.contains("aria-label=\"Main\""), "{}", page.text);
        assert!(!page.text.contains(&format!("Status {status}")), "{}", page.text);
    }
    let stranger = PageClient::signed_out(&test_app).get("/nowhere").await;
    assert_eq!(stranger.status, 404);
    assert!(stranger.text.contains("Not found") && !stranger.text.contains("aria-label=\"Main\""));
    let program = visitor.get("/api/v1/nowhere").await;
    assert_eq!(program.headers["content-type"], "application/problem+json", "{}", program.text);
    test_app.stop().await;
}

async fn what_a_form_refuses_is_said_at_the_field_and_kept(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let visitor = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    let long = "x".repeat(301);
    let made = visitor.send_and_follow("/feeds", &[("about", "business"), ("name", "Airbnb")]).await;
    let feed = made.text.split("href=\"/feeds/").nth(1).unwrap().split('/').next().unwrap().to_owned();
    let edit = format!("/feeds/{feed}/edit");
    for (path, fields, kept, fault) in [
        ("/feeds", vec![("about", "business"), ("name", &long)], long.as_str(), "name-fault"),
        ("/feeds", vec![("about", "planet"), ("name", "Pluto")], "Pluto", "about-fault"),
        (&edit, vec![("privacy", "title"), ("name", &long)], &long, "name-fault"),
        ("/settings/people/users", vec![("name", "Zoë"), ("email", "nobody")], "nobody", "email-fault"),
        ("/settings/people/users", vec![("name", &long), ("email", "z@example.org")], &long, "name-fault"),
    ] {
        let page = visitor.send(path, &fields).await;
        assert_eq!(page.status, 422, "{path}");
        assert!(page.text.contains(&format!("value=\"{kept}\"")), "{path}: {}", page.text);
        assert!(page.text.contains(&format!("id=\"{fault}\"")), "{path}: {}", page.text);
    }
    test_app.stop().await;
}

/// Each takes the role of the other: somebody has to be left who can give it back.
async fn two_managers_cannot_shut_each_other_out(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let (context, now) = (&test_app.app.context, test_app.app.now());
    let one = person(&test_app, Role::Manager, None).await;
    let other = person_at(&test_app, "other@example.org", Role::Manager, None).await;
    let by = ChangeContext { business: test_app.business.id, actor: Actor::System, now };
    let demoted = UserSettings { staff: None, name: "Nina".to_owned(), role: Role::Staff };
    let (archived, changed) =
        tokio::join!(users::archive(context, &by, one.id), users::change(context, &by, other.id, &demoted));
    assert_ne!(archived.is_ok(), changed.is_ok());
    let left = people::list_users(test_app.db(), test_app.business.id).await.unwrap();
    assert_eq!(left.iter().filter(|user| user.role == Role::Manager).count(), 1);
    test_app.stop().await;
}

/// What says what is there already is no change.
async fn nothing_to_change_leaves_no_history(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let (room, ana) = (test_app.resource(1).await, test_app.staff("Ana").await);
    let feed = json!({ "scope": "business", "name": "All" });
    let feed = test_app.api.post("/api/v1/feeds", feed).await.expect(201);
    let name_of = async |path: &str| test_app.api.get(path).await.expect(200)["name"].clone();
    let count = async || {
        let lines = history::list(test_app.db(), test_app.business.id, &PageRequest::default()).await;
        lines.unwrap().items.len()
    };
    let before = count().await;
    let feed = format!("/api/v1/feeds/{}", feed["id"].as_str().unwrap());
    for path in [format!("/api/v1/resources/{}", room.id), format!("/api/v1/staff/{ana}"), feed] {
        let same = json!({ "name": name_of(&path).await });
        test_app.api.patch(&path, same).await.expect(200);
        assert_eq!(count().await, before, "{path}");
    }
    test_app.stop().await;
}

/// Loading again a page that shows a secret makes no other one, and does not show it again; nor does it to others.
async fn a_secret_is_shown_once_and_made_once(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let room = test_app.resource(1).await.id.to_string();
    let visitor = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    let other = person_at(&test_app, "other@example.org", Role::Manager, None).await;
    let stranger = PageClient::signed_in(&test_app, &other).await;
    let published = [("resource", room.as_str()), ("platform", "airbnb"), ("address", "")];
    let channel = visitor.send("/channels/new", &published).await.leads_to().to_owned();
    let feed = [("about", "business"), ("name", "All")];
    visitor.send("/feeds", &feed).await.leads_to();
    let list = test_app.api.get("/api/v1/feeds").await.expect(200);
    let id =
        list["items"].as_array().unwrap().iter().find(|feed| feed["name"] == "All").unwrap()["id"].clone();
    let rotate = format!("/feeds/{}/rotate", id.as_str().unwrap());
    let (webhooks, link) =
        (format!("{channel}/webhooks"), format!("/settings/people/users/{}/link", other.id));
    for (form, fields, secret, was_shown) in [
        ("/feeds", feed.as_slice(), "/feeds/cf_", "The link was shown once"),
        (&rotate, &[], "/feeds/cf_", "The link was shown once"),
        ("/settings/api-keys", &[("name", "Website")], "id=\"key\">ck_", "The key was shown once"),
        (&link, &[], "/sign-in/cl_", "The sign-in link was shown once"),
        (&webhooks, &[], "whsec_", "The URL and key were shown once"),
    ] {
        let sent = visitor.send(form, fields).await;
        let page = sent.leads_to().to_owned();
        assert!(!sent.text.contains(secret) && !page.contains(&secret[secret.len() - 3..]), "{page}");
        assert!(sent.cookies().iter().all(|cookie| !cookie.contains(secret)), "{form}");
        assert!(!stranger.get(&page).await.text.contains(secret), "{form}: to another session");
        let first = visitor.get(&page).await;
        assert!(first.text.contains(secret), "{form}: {}", first.text);
        assert_eq!(first.headers["cache-control"], "no-store");
        let again = visitor.get(&page).await;
        assert_eq!(again.status, 200);
        assert!(!again.text.contains(secret) && again.text.contains(was_shown), "{form}: {}", again.text);
    }
    assert_eq!(visitor.get(&webhooks).await.leads_to(), channel);
    assert!(!visitor.get("/feeds").await.text.contains("shown once"));
    test_app.stop().await;
}

async fn who_signs_in_and_out_is_in_the_history(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let user = person(&test_app, Role::Manager, None).await;
    let visitor = PageClient::signed_in(&test_app, &user).await;
    assert_eq!(visitor.send("/sign-out", &[]).await.leads_to(), "/sign-in");
    let ask = concord_storage::PageRequest::default();
    let lines =
        concord_storage::history::list_for_subject(test_app.db(), test_app.business.id, user.id.0, &ask)
            .await;
    let actions: Vec<String> = lines.unwrap().items.into_iter().map(|line| line.action).collect();
    assert_eq!(actions, ["signed out", "signed in"]);
    test_app.stop().await;
}

async fn personal_pages_are_kept_by_no_cache(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let visitor = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    for path in [
        "/",
        "/bookings",
        "/bookings/new",
        "/calendars",
        "/channels",
        "/feeds",
        "/settings",
        "/settings/people",
        "/settings/api-keys",
        "/calendar-sync",
        "/sign-in",
        "/nowhere",
    ] {
        let page = visitor.get(path).await;
        assert_eq!(page.headers["cache-control"], "no-store", "{path}");
    }
    assert_eq!(PageClient::signed_out(&test_app).get("/bookings").await.headers["cache-control"], "no-store");
    test_app.stop().await;
}

concord_storage::on_both_databases!(
    two_managers_cannot_shut_each_other_out,
    nothing_to_change_leaves_no_history,
    who_signs_in_and_out_is_in_the_history,
    personal_pages_are_kept_by_no_cache,
    what_a_form_refuses_is_said_at_the_field_and_kept,
    a_secret_is_shown_once_and_made_once,
    who_is_nobody_of_the_staff_is_offered_nothing_that_leads_nowhere,
    whoever_is_signed_in_finds_on_from_an_error,
    what_was_archived_is_restored_at_once_or_from_the_list,
    who_signs_in_comes_to_where_they_wanted_to_go,
    a_person_is_made_something_else_and_comes_back_after_removal,
);
