use concord_domain::{ids::SignInRequestId, job::JobKind};
use concord_storage::{
    jobs,
    sign_in_requests::{self, NewSignInRequest},
    testing::{TestDb, at, begin, commit},
};

use crate::precise;

async fn typed_address_waits_for_its_job_and_is_forgotten(db: &TestDb) {
    let new = NewSignInRequest { email: " Ana@Harbour.example", browser: "browser", language: "de" };
    let mut tx = begin(db).await;
    sign_in_requests::create(&mut tx, &new, precise(0)).await.unwrap();
    commit(tx).await;
    let job = jobs::due(db, at(1), 10).await.unwrap().remove(0);
    assert_eq!(job.kind, JobKind::MailSignInLinks);
    let claimed = jobs::claim(db, job, "worker#1", at(9), at(1)).await.unwrap().unwrap();
    assert_eq!(claimed.business_id, None);
    let id = SignInRequestId(claimed.subject_id);
    let found = sign_in_requests::find(db, id).await.unwrap().unwrap();
    assert_eq!((found.email.as_str(), found.browser.as_str()), ("ana@harbour.example", "browser"));
    assert_eq!((found.language.as_str(), found.created_at), ("de", precise(0)));
    let mut tx = begin(db).await;
    assert!(sign_in_requests::delete(&mut tx, id).await.unwrap());
    assert!(!sign_in_requests::delete(&mut tx, id).await.unwrap());
    commit(tx).await;
    assert_eq!(sign_in_requests::find(db, id).await.unwrap(), None);
}

concord_storage::on_both_databases!(typed_address_waits_for_its_job_and_is_forgotten);
