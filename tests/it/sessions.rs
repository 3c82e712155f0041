//! Where somebody is signed in, and ending it there.

use concord_domain::people::Role;
use concord_storage::{on_both_databases, sign_in, testing::TestDb};

use crate::{
    page_client::{PageClient, person},
    test_app::TestApp,
};

/// The paths of the forms that end one session each.
fn forms(page: &str) -> Vec<String> {
    let ends = page.split("action=\"").filter_map(|part| part.split('"').next());
    ends.filter(|path| path.starts_with("/settings/sessions/") && path.ends_with("/end"))
        .map(str::to_owned)
        .collect()
}

async fn owner_ends_their_other_sessions(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let user = person(&test_app, Role::Staff, None).await;
    let stranger = person(&test_app, Role::Manager, None).await;
    let stranger = PageClient::signed_in(&test_app, &stranger).await;
    let mut browsers = Vec::new();
    for _ in 0..4 {
        browsers.push(PageClient::signed_in(&test_app, &user).await);
    }
    let page = browsers[0].get("/settings/sessions").await.text;
    assert_eq!((page.matches("this browser").count(), forms(&page).len()), (1, 3), "{page}");
    let hashes = sign_in::list_sessions(db, user.business_id, user.id, test_app.app.now()).await.unwrap();
    assert!(hashes.iter().all(|session| !page.contains(&session.token_hash)), "no digest is on the page");

    let end = forms(&page).remove(0);
    assert_eq!(stranger.send(&end, &[]).await.status, 404, "it is not theirs");
    assert_eq!(browsers[0].send(&end, &[]).await.leads_to(), "/settings/sessions");
    assert_eq!(browsers[0].send(&end, &[]).await.status, 404);
    let status = async |browser: &PageClient<'_>| browser.get("/settings").await.status;
    let mut alive = 0;
    for browser in &browsers {
        alive += usize::from(status(browser).await == 200);
    }
    assert_eq!((alive, status(&browsers[0]).await), (3, 200));

    browsers[0].send("/settings/sessions/end-others", &[]).await.leads_to();
    assert_eq!(status(&browsers[0]).await, 200);
    for browser in &browsers[1..] {
        assert_eq!(status(browser).await, 303);
    }
    let page = browsers[0].get("/settings/sessions").await.text;
    assert!(forms(&page).is_empty() && !page.contains("Sign out everywhere else"), "{page}");
    assert_eq!(status(&stranger).await, 200);
    test_app.stop().await;
}

async fn manager_signs_somebody_out_everywhere(db: &TestDb) {
    let test_app = TestApp::start(db).await;
    let user = person(&test_app, Role::Staff, None).await;
    let manager = PageClient::signed_in(&test_app, &person(&test_app, Role::Manager, None).await).await;
    let staff = PageClient::signed_in(&test_app, &user).await;
    let elsewhere = PageClient::signed_in(&test_app, &user).await;
    let path = format!("/settings/people/users/{}", user.id);
    assert!(manager.get(&path).await.text.contains("Signed in in 2 browsers"));
    let question = manager.get(&format!("{path}/sign-out")).await.text;
    assert!(question.contains("They can sign in again"), "{question}");
    assert_eq!(staff.send(&format!("{path}/sign-out"), &[]).await.status, 403);
    assert_eq!(manager.send(&format!("{path}/sign-out"), &[]).await.leads_to(), "/settings/people");
    for browser in [&staff, &elsewhere] {
        assert_eq!(browser.get("/settings").await.status, 303);
    }
    assert!(manager.get(&path).await.text.contains("Not signed in anywhere"));
    assert_eq!(PageClient::signed_in(&test_app, &user).await.get("/settings").await.status, 200);

    let unknown = concord_domain::ids::UserId::new(test_app.app.now());
    let missing = format!("/settings/people/users/{unknown}/sign-out");
    assert_eq!(manager.send(&missing, &[]).await.status, 404);
    test_app.stop().await;
}

on_both_databases!(owner_ends_their_other_sessions, manager_signs_somebody_out_everywhere);
