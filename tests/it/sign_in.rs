//! Signing in by a link that is mailed: who gets one, in which browser it works, and what nobody learns by asking.

use concord_domain::people::Role;
use concord_services::users;
use concord_storage::{
    ChangeContext, on_both_databases,
    people::{self, NewUser, User},
    testing::{TestDb, begin, commit},
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    logs,
    page_client::{PageClient, PageResponse, person, person_at},
    test_app::{TestApp, TestAppOptions, until},
};

/// All mails, once there are so many.
async fn mails(test_app: &TestApp, count: usize) -> Vec<Value> {
    until("the mails have come", async || {
        let mails = test_app.control(Method::GET, "/mails", json!({})).await.as_array().unwrap().clone();
        (mails.len() >= count).then_some(mails)
    })
    .await
}

/// The paths of the links in a mail that sign in.
fn links(test_app: &TestApp, mail: &Value) -> Vec<String> {
    let text = mail["text"].as_str().unwrap();
    let links: Vec<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix(&test_app.api.base))
        .filter(|path| path.starts_with("/sign-in/cl_"))
        .map(str::to_owned)
        .collect();
    assert!(!links.is_empty(), "{text}");
    for link in &links {
        logs::keep_out(link.rsplit('/').next().unwrap());
        assert!(mail["html"].as_str().unwrap().contains(link.as_str()), "{mail}");
    }
    links
}

async fn ask_for_link(visitor: &mut PageClient<'_>, email: &str) -> PageResponse {
    let answer = visitor.post("/sign-in", &[("email", email)]).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(answer.text.contains("Check your email"), "{}", answer.text);
    answer
}

async fn mailed_link_signs_in_once_in_the_browser_that_asked(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    person(&test_app, Role::Staff, None).await;
    let mut visitor = PageClient::signed_out(&test_app);
    let refused = visitor.get("/bookings?q=maria").await;
    let page = visitor.get(refused.leads_to()).await;
    assert!(page.text.contains("Send sign-in link"), "{}", page.text);
    visitor.keep_cookies(&page);
    ask_for_link(&mut visitor, " Staff@Example.org ").await;
    let link = links(&test_app, &mails(&test_app, 1).await[0]).remove(0);
    for _ in 0..2 {
        let page = visitor.get(&link).await;
        assert!(page.text.contains("data-submit") && page.text.contains("Sign in as"), "{}", page.text);
        assert!(page.cookies().is_empty(), "it is not used up by looking");
    }
    assert_eq!(visitor.post(&link, &[]).await.leads_to(), "/bookings?q=maria");
    assert_eq!(visitor.get("/bookings").await.status, 200);
    for again in [visitor.get(&link).await, visitor.post(&link, &[]).await] {
        assert_eq!(again.status, 410);
        assert!(again.text.contains("This link no longer works"), "{}", again.text);
    }
    logs::check();
    test_app.stop().await;
}

async fn mailed_link_asks_in_another_browser(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    person(&test_app, Role::Staff, None).await;
    let mut asked = PageClient::signed_out(&test_app);
    ask_for_link(&mut asked, "staff@example.org").await;
    let link = links(&test_app, &mails(&test_app, 1).await[0]).remove(0);
    let mut other = PageClient::signed_out(&test_app);
    other.cookies = vec![format!("concord_browser={}", "A".repeat(43))];
    for page in [other.get(&link).await, other.post(&link, &[]).await] {
        assert_eq!(page.status, 200);
        assert!(page.text.contains("Sign in on this device?"), "{}", page.text);
        assert!(!page.text.contains("data-submit") && page.cookies().is_empty(), "{}", page.text);
    }
    let before = other.cookies.clone();
    assert_eq!(other.post(&format!("{link}?confirmed=yes"), &[]).await.leads_to(), "/");
    assert_ne!(other.cookies, before);
    assert_eq!(other.get("/").await.status, 200);
    assert_eq!(asked.post(&link, &[]).await.status, 410, "it is used up");
    test_app.stop().await;
}

/// Two people, or two windows, who open it at the same time.
async fn of_two_browsers_with_one_link_one_gets_in(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    person(&test_app, Role::Staff, None).await;
    let mut first = PageClient::signed_out(&test_app);
    ask_for_link(&mut first, "staff@example.org").await;
    let link = links(&test_app, &mails(&test_app, 1).await[0]).remove(0);
    let mut second = PageClient::signed_out(&test_app);
    let confirmed = format!("{link}?confirmed=yes");
    let (one, other) = tokio::join!(first.post(&link, &[]), second.post(&confirmed, &[]));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 410]);
    test_app.stop().await;
}

async fn nobody_learns_whether_an_address_is_known(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let known = person(&test_app, Role::Staff, None).await;
    let archived = person_at(&test_app, "gone@example.org", Role::Staff, None).await;
    let mut tx = begin(db).await;
    people::archive_user(&mut tx, test_app.business.id, archived.id, test_app.app.now()).await.unwrap();
    commit(tx).await;
    let mut answers = Vec::new();
    for email in [&*known.email, "gone@example.org", "else@example.org"] {
        let answer = ask_for_link(&mut PageClient::signed_out(&test_app), email).await;
        let cookies: Vec<usize> = answer.cookies().iter().map(String::len).collect();
        let headers: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
        answers.push((answer.text.replace(email, "EMAIL"), cookies, headers));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
    until("all were looked up", async || {
        let jobs = concord_storage::jobs::counts(db).await.unwrap();
        let open = |count: &concord_storage::jobs::JobCount| count.state.as_str() != "done";
        let kind = |count: &concord_storage::jobs::JobCount| count.kind.as_str() == "mail_sign_in_links";
        (!jobs.iter().any(|count| kind(count) && open(count))).then_some(())
    })
    .await;
    let came = mails(&test_app, 1).await;
    assert_eq!((came.len(), &came[0]["to"]), (1, &json!(["staff@example.org"])));
    test_app.stop().await;
}

async fn mailbox_is_not_flooded_and_nobody_is_told_so(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    person(&test_app, Role::Staff, None).await;
    let mut texts = Vec::new();
    for _ in 0..6 {
        let mut visitor = PageClient::signed_out(&test_app);
        texts.push(ask_for_link(&mut visitor, "staff@example.org").await.text);
    }
    assert!(texts.iter().all(|text| *text == texts[0]));
    let came = mails(&test_app, 2).await;
    assert_eq!(came.len(), 2);
    // The person signs in by either, whoever asked for it.
    let mut person = PageClient::signed_out(&test_app);
    for mail in &came {
        let link = links(&test_app, mail).remove(0);
        assert_eq!(person.post(&format!("{link}?confirmed=yes"), &[]).await.leads_to(), "/");
    }
    // Of one network's requests there is an end too.
    let mut visitor = PageClient::signed_out(&test_app);
    let mut statuses = Vec::new();
    for number in 0..6 {
        statuses.push(visitor.post("/sign-in", &[("email", &format!("{number}@example.org"))]).await.status);
    }
    assert_eq!(statuses, [200, 200, 200, 200, 429, 429]);
    test_app.stop().await;
}

/// One mail, with a link for each business; and who reads the mails of one learns neither a link nor the other's name.
async fn address_of_two_businesses_gets_a_link_for_each(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let here = person(&test_app, Role::Manager, None).await;
    let (other, _) = test_app.other_business().await;
    let new = NewUser {
        business: other.id,
        staff: None,
        name: "Nina Hill".to_owned(),
        email: here.email.clone(),
        role: Role::Staff,
    };
    let mut tx = begin(db).await;
    let there = people::create_user(&mut tx, &new, test_app.app.now()).await.unwrap();
    commit(tx).await;
    ask_for_link(&mut PageClient::signed_out(&test_app), &here.email).await;
    let came = mails(&test_app, 1).await;
    assert_eq!(came.len(), 1);
    assert!(!came[0]["text"].as_str().unwrap().contains("[secret-"), "{}", came[0]["text"]);
    let found = links(&test_app, &came[0]);
    assert_eq!(found.len(), 2);
    let list = test_app.api.get("/api/v1/mails").await.expect(200);
    let stored = list["items"][0]["text"].as_str().unwrap();
    assert!(stored.contains("/sign-in/[secret-1]") && !stored.contains("House"), "{stored}");
    let mut signed_in: Vec<Option<User>> = Vec::new();
    for link in &found {
        let mut visitor = PageClient::signed_out(&test_app);
        visitor.post(&format!("{link}?confirmed=yes"), &[]).await.leads_to();
        let settings = visitor.get("/settings").await.text;
        let is = |user: &User| settings.contains(&format!("<bdi>{}</bdi>", user.name));
        signed_in.push([&here, &there].into_iter().find(|user| is(user)).cloned());
    }
    assert_eq!(signed_in, [Some(here), Some(there)]);
    test_app.stop().await;
}

async fn link_is_dead_once_its_user_is_archived(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let user = person(&test_app, Role::Staff, None).await;
    person(&test_app, Role::Manager, None).await;
    let mut visitor = PageClient::signed_out(&test_app);
    ask_for_link(&mut visitor, &user.email).await;
    let link = links(&test_app, &mails(&test_app, 1).await[0]).remove(0);
    let by = ChangeContext {
        business: test_app.business.id,
        actor: concord_domain::people::Actor::System,
        now: test_app.app.now(),
    };
    users::archive(&test_app.app.context, &by, user.id).await.unwrap();
    assert_eq!(visitor.get(&link).await.status, 410);
    assert_eq!(visitor.post(&link, &[]).await.status, 410);
    test_app.stop().await;
}

/// What stands in the mail is where this installation is known to be, whatever a request says.
async fn link_leads_to_the_public_address_whatever_the_host(db: &TestDb) {
    let settings = vec![("server.public_url", "https://book.example".to_owned())];
    let test_app = TestApp::start_with(db, TestAppOptions { settings, ..TestAppOptions::default() }).await;
    person(&test_app, Role::Staff, None).await;
    let request = test_app.api.http.post(format!("{}/sign-in", test_app.api.base));
    let answer = request
        .header("host", "evil.example")
        .header("x-forwarded-host", "evil.example")
        .header("content-type", "application/x-www-form-urlencoded")
        .body("email=staff%40example.org")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("Secure"), "{cookie}");
    let came = mails(&test_app, 1).await;
    let raw = came[0]["raw"].as_str().unwrap();
    assert!(!raw.contains("evil"), "{raw}");
    assert!(came[0]["text"].as_str().unwrap().contains("\nhttps://book.example/sign-in/cl_"), "{raw}");
    test_app.stop().await;
}

async fn forged_forms_and_no_addresses_send_nothing(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    person(&test_app, Role::Staff, None).await;
    let mut visitor = PageClient::signed_out(&test_app);
    for email in
        ["", "nobody", "staff@example.org\r\nBcc: all@example.org", "a b@example.org", &"a".repeat(400)]
    {
        let answer = visitor.post("/sign-in", &[("email", email)]).await;
        assert_eq!(answer.status, 422, "{email}");
        assert!(answer.text.contains("id=\"email-fault\""), "{}", answer.text);
    }
    let request = test_app.api.http.post(format!("{}/sign-in", test_app.api.base));
    let answer = request
        .header("sec-fetch-site", "cross-site")
        .header("content-type", "application/x-www-form-urlencoded")
        .body("email=staff%40example.org")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 403);
    ask_for_link(&mut visitor, "else@example.org").await;
    assert!(mails(&test_app, 0).await.is_empty());
    test_app.stop().await;
}

async fn without_a_mail_server_links_come_from_people(db: &TestDb) {
    let settings = vec![("mail.url", String::new())];
    let test_app = TestApp::start_with(db, TestAppOptions { settings, ..TestAppOptions::default() }).await;
    person(&test_app, Role::Staff, None).await;
    let mut visitor = PageClient::signed_out(&test_app);
    let sent = visitor.post("/sign-in", &[("email", "staff@example.org")]).await;
    assert_eq!(sent.status, 409);
    for page in [visitor.get("/sign-in").await, sent] {
        assert!(page.text.contains("concord user link EMAIL"), "{}", page.text);
        assert!(!page.text.contains("Send sign-in link"), "{}", page.text);
    }
    test_app.stop().await;
}

async fn invited_user_is_mailed_the_link_that_the_manager_sees(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let manager = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    let new = [("name", "Zoë <b>"), ("email", "zoe@example.org"), ("role", "staff"), ("staff", "")];
    let page = manager.send_and_follow("/settings/people/users", &new).await.text;
    assert!(page.contains("It is on its way to zoe@example.org"), "{page}");
    let shown = page.split("/sign-in/cl_").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let came = mails(&test_app, 1).await;
    assert_eq!(came[0]["subject"], "Harbour House invites you to Concord");
    assert!(came[0]["html"].as_str().unwrap().contains("Zoë &#60;b&#62;"), "{}", came[0]["html"]);
    let link = links(&test_app, &came[0]).remove(0);
    assert_eq!(link, format!("/sign-in/cl_{shown}"));
    let list = test_app.api.get("/api/v1/mails").await.expect(200);
    assert_eq!(list["items"][0]["kind"], "user_invitation");
    assert!(!list.to_string().contains(&shown), "{list}");

    let mut invited = PageClient::signed_out(&test_app);
    let welcome = invited.get(&link).await;
    assert!(welcome.text.contains("Welcome") && !welcome.text.contains("data-submit"), "{}", welcome.text);
    assert_eq!(invited.post(&link, &[]).await.leads_to(), "/");
    assert_eq!(invited.post(&link, &[]).await.status, 410);
    test_app.stop().await;
}

on_both_databases!(
    mailed_link_signs_in_once_in_the_browser_that_asked,
    mailed_link_asks_in_another_browser,
    of_two_browsers_with_one_link_one_gets_in,
    nobody_learns_whether_an_address_is_known,
    mailbox_is_not_flooded_and_nobody_is_told_so,
    address_of_two_businesses_gets_a_link_for_each,
    link_is_dead_once_its_user_is_archived,
    link_leads_to_the_public_address_whatever_the_host,
    forged_forms_and_no_addresses_send_nothing,
    without_a_mail_server_links_come_from_people,
    invited_user_is_mailed_the_link_that_the_manager_sees,
);
