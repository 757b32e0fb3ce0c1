//! The room alone, on every engine: root keys, races, and what survives them.

use std::sync::Arc;

use policy::AccountId;
use zeroize::Zeroizing;

use super::{Error, IdentityRoom, Kind, Lookup, PageRequest, arn};
use crate::access::testing::{ACCOUNT, allow};
use crate::access::{Identity, action};
use crate::environment::Environment;
use crate::store::db::testing::{TestDatabase, databases};
use crate::store::seal::Sealer;

async fn rooms() -> Vec<(IdentityRoom, TestDatabase)> {
    let mut rooms = Vec::new();
    for test in databases().await {
        let environment = Environment::system();
        let keys = test.folder.path().join("keys");
        let sealer = Arc::new(Sealer::open_or_create(&keys, environment.clone()).unwrap());
        let room = IdentityRoom::new(test.database.clone(), sealer, environment);
        assert!(room.create_account(&account()).await.unwrap());
        assert!(!room.create_account(&account()).await.unwrap());
        rooms.push((room, test));
    }
    rooms
}

fn account() -> AccountId {
    AccountId::parse(ACCOUNT).unwrap()
}

fn named(kind: Kind, name: &str) -> Identity {
    let arn = arn(&account(), kind, "/", name);
    Identity { account: account(), display: arn.clone(), arn }
}

async fn create_user(room: &IdentityRoom, name: &str) -> Result<String, Error> {
    let allowed = allow::<action::CreateUser>(named(Kind::User, name));
    room.create_user(&allowed, None, &[]).await.map(|user| user.entity.id)
}

async fn create_policy(room: &IdentityRoom, name: &str) -> String {
    let text = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:*","Resource":"*"}}"#;
    let allowed = allow::<action::CreatePolicy>(named(Kind::Policy, name));
    room.create_policy(&allowed, text, None, &[]).await.unwrap().arn
}

#[tokio::test]
async fn root_keys() {
    for (room, test) in rooms().await {
        let first = room.create_root_key(&account()).await.unwrap();
        let second = room.create_root_key(&account()).await.unwrap();
        assert!(matches!(room.create_root_key(&account()).await, Err(Error::LimitExceeded(_))));
        let ids: Vec<String> =
            room.root_keys(&account()).await.unwrap().into_iter().map(|key| key.id).collect();
        assert_eq!(ids.len(), 2);
        let Lookup::Found(found) = room.authenticate(&first.id, None).await.unwrap() else {
            panic!("not found on {}", test.engine)
        };
        assert_eq!(
            (room.secret(&found, &first.id, None).unwrap().as_str(), found.principal.arn()),
            (first.secret.as_str(), "arn:aws:iam::123456789012:root")
        );
        room.delete_root_key(&account(), &second.id).await.unwrap();
        assert!(matches!(room.authenticate(&second.id, None).await.unwrap(), Lookup::Unknown));
        assert!(matches!(room.delete_root_key(&account(), &second.id).await, Err(Error::NoSuchEntity(_))));

        let given = Zeroizing::new("a secret of the operator".to_owned());
        for (id, secret) in [
            ("short", &given),
            ("with/slash/in/it00", &given),
            ("AKIAIOSFODNN7EXAMPLE", &Zeroizing::default()),
        ] {
            assert!(
                matches!(room.set_root_key(&account(), id, secret).await, Err(Error::Invalid(_))),
                "{id}"
            );
        }
        for _ in 0..2 {
            room.set_root_key(&account(), "AKIAIOSFODNN7EXAMPLE", &given).await.unwrap();
        }
        let Lookup::Found(found) = room.authenticate("AKIAIOSFODNN7EXAMPLE", None).await.unwrap() else {
            panic!("not found on {}", test.engine)
        };
        assert_eq!(room.secret(&found, "AKIAIOSFODNN7EXAMPLE", None).unwrap(), given);
        create_user(&room, "alice").await.unwrap();
        let allowed = allow::<action::CreateAccessKey>(named(Kind::User, "alice"));
        let (_, key) = room.create_access_key(&allowed).await.unwrap();
        let taken = room.set_root_key(&account(), &key.id, &given).await;
        assert!(matches!(taken, Err(Error::Invalid(_))), "a user's key cannot become the root's");
    }
}

#[tokio::test]
async fn secrets_are_not_in_the_rows_and_cannot_be_moved() {
    for (room, test) in rooms().await {
        let one = room.create_root_key(&account()).await.unwrap();
        let two = room.create_root_key(&account()).await.unwrap();
        let rows = test.database.rows("SELECT secret FROM iam_access_key", crate::params![]).await.unwrap();
        for row in rows {
            let sealed: Vec<u8> = row.get(0).unwrap();
            let holds = |secret: &str| sealed.windows(secret.len()).any(|part| part == secret.as_bytes());
            assert!(!holds(&one.secret) && !holds(&two.secret));
        }
        let moved: Result<(), Error> = crate::transaction!(test.database, open => {
            open.execute(
                "UPDATE iam_access_key SET secret = (SELECT secret FROM iam_access_key WHERE id = $1) WHERE id = $2",
                crate::params![&one.id, &two.id],
            )
            .await?;
            Ok::<_, Error>(())
        });
        moved.unwrap();
        let Lookup::Found(found) = room.authenticate(&two.id, None).await.unwrap() else {
            panic!("not found on {}", test.engine)
        };
        assert!(matches!(room.secret(&found, &two.id, None), Err(Error::Internal(_))), "fails closed");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_create_one_name_one_succeeds() {
    for (room, test) in rooms().await {
        let tasks: Vec<_> = (0..12)
            .map(|number| {
                let room = room.clone();
                let name = if number % 2 == 0 { "alice" } else { "ALICE" };
                tokio::spawn(async move { create_user(&room, name).await })
            })
            .collect();
        let mut created = 0;
        for task in tasks {
            match task.await.unwrap() {
                Ok(_) => created += 1,
                Err(Error::AlreadyExists(_)) => {}
                Err(error) => panic!("{error} on {}", test.engine),
            }
        }
        assert_eq!(created, 1, "{}", test.engine);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quotas_hold_when_many_come_at_once() {
    for (room, test) in rooms().await {
        create_user(&room, "alice").await.unwrap();
        let mut tasks = Vec::new();
        for number in 0..14 {
            let arn = create_policy(&room, &format!("p{number}")).await;
            let room = room.clone();
            tasks.push(tokio::spawn(async move {
                let allowed = allow::<action::AttachUserPolicy>(named(Kind::User, "alice"));
                room.attach_policy(&allowed, &arn).await
            }));
        }
        for task in tasks {
            match task.await.unwrap() {
                Ok(()) | Err(Error::LimitExceeded(_)) => {}
                Err(error) => panic!("{error} on {}", test.engine),
            }
        }
        let allowed = allow::<action::ListAttachedUserPolicies>(named(Kind::User, "alice"));
        let page = room.attached_policies(&allowed, "/", &PageRequest::default()).await.unwrap();
        assert_eq!(page.items.len(), 10, "{}", test.engine);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_is_never_attached_and_gone() {
    for (room, test) in rooms().await {
        create_user(&room, "alice").await.unwrap();
        for number in 0..9 {
            let arn = create_policy(&room, &format!("p{number}")).await;
            let (attaching, deleting) = (room.clone(), room.clone());
            let (arn, same) = (arn.clone(), arn);
            let resource = Identity { account: account(), arn: arn.clone(), display: arn.clone() };
            let attach = tokio::spawn(async move {
                let allowed = allow::<action::AttachUserPolicy>(named(Kind::User, "alice"));
                attaching.attach_policy(&allowed, &same).await
            });
            let delete = tokio::spawn(async move {
                deleting.delete_policy(&allow::<action::DeletePolicy>(resource)).await
            });
            let (attached, deleted) = (attach.await.unwrap(), delete.await.unwrap());
            let is_one = attached.is_ok() != deleted.is_ok();
            assert!(is_one, "{attached:?} {deleted:?} on {}", test.engine);
        }
    }
}

#[tokio::test]
async fn what_moved_away_is_not_touched_under_the_old_permission() {
    for (room, _test) in rooms().await {
        create_user(&room, "alice").await.unwrap();
        let old = allow::<action::UpdateUser>(named(Kind::User, "alice"));
        let elsewhere = Identity {
            account: account(),
            arn: arn(&account(), Kind::User, "/secret/", "alice"),
            display: String::new(),
        };
        room.rename(&old, &allow::<action::UpdateUser>(elsewhere)).await.unwrap();
        let stale = allow::<action::DeleteUser>(named(Kind::User, "alice"));
        assert!(matches!(room.delete_user(&stale).await, Err(Error::NoSuchEntity(_))));
        let foreign =
            Identity { account: AccountId::parse("000000000001").unwrap(), ..named(Kind::User, "alice") };
        assert!(matches!(
            room.delete_user(&allow::<action::DeleteUser>(foreign)).await,
            Err(Error::NoSuchEntity(_))
        ));
    }
}

#[tokio::test]
async fn every_revocation_is_seen_by_the_next_request() {
    for (room, test) in rooms().await {
        let engine = test.engine;
        create_user(&room, "alice").await.unwrap();
        let user = || named(Kind::User, "alice");
        let (_, key) = room.create_access_key(&allow::<action::CreateAccessKey>(user())).await.unwrap();
        let found = async |id: &str| match room.authenticate(id, None).await.unwrap() {
            Lookup::Found(found) => Some(found),
            Lookup::Unknown | Lookup::Expired => None,
        };
        // Twice, so that the second answer comes from memory where there is one.
        let policies = async || {
            let found = found(&key.id).await.unwrap();
            let first = room.policies(&found.principal, None, found.generation).await.unwrap();
            let second = room.policies(&found.principal, None, found.generation).await.unwrap();
            assert_eq!(first.identity.len(), second.identity.len());
            (first.identity.len(), first.boundary.is_some())
        };
        assert_eq!(policies().await, (0, false), "{engine}");
        let arn = create_policy(&room, "p").await;
        room.attach_policy(&allow::<action::AttachUserPolicy>(user()), &arn).await.unwrap();
        assert_eq!(policies().await, (1, false), "{engine}");
        room.put_boundary(&allow::<action::PutUserPermissionsBoundary>(user()), &arn).await.unwrap();
        assert_eq!(policies().await, (1, true), "{engine}");
        room.delete_boundary(&allow::<action::DeleteUserPermissionsBoundary>(user())).await.unwrap();
        room.detach_policy(&allow::<action::DetachUserPolicy>(user()), &arn).await.unwrap();
        assert_eq!(policies().await, (0, false), "{engine}");

        let moved = Identity { arn: arn_of("/eng/", "bob"), ..user() };
        room.rename(&allow::<action::UpdateUser>(user()), &allow::<action::UpdateUser>(moved.clone()))
            .await
            .unwrap();
        assert_eq!(found(&key.id).await.unwrap().principal.arn(), moved.arn, "{engine}");
        let update = allow::<action::UpdateAccessKey>(moved.clone());
        room.set_access_key_active(&update, &key.id, false).await.unwrap();
        assert!(found(&key.id).await.is_none(), "{engine}: deactivated");
        room.set_access_key_active(&update, &key.id, true).await.unwrap();
        assert!(found(&key.id).await.is_some(), "{engine}: active again");
        let delete = allow::<action::DeleteAccessKey>(moved);
        room.delete_access_key(&delete, &key.id).await.unwrap();
        assert!(found(&key.id).await.is_none(), "{engine}: deleted");

        let root = room.create_root_key(&account()).await.unwrap();
        assert!(found(&root.id).await.is_some());
        room.delete_root_key(&account(), &root.id).await.unwrap();
        assert!(found(&root.id).await.is_none(), "{engine}: the root's key");
    }
}

fn arn_of(path: &str, name: &str) -> String {
    arn(&account(), Kind::User, path, name)
}

#[tokio::test]
async fn what_another_process_has_revoked_is_seen_by_the_next_request() {
    for (room, test) in rooms().await {
        let key = room.create_root_key(&account()).await.unwrap();
        for _ in 0..2 {
            assert!(matches!(room.authenticate(&key.id, None).await.unwrap(), Lookup::Found(_)));
        }
        // As `longshore credentials` does it beside the server.
        let beside = crate::store::db::Database::open(&test.location).await.unwrap();
        let environment = Environment::system();
        let keys = test.folder.path().join("keys");
        let sealer = Arc::new(Sealer::open_or_create(&keys, environment.clone()).unwrap());
        let other = IdentityRoom::new(beside, sealer, environment);
        other.delete_root_key(&account(), &key.id).await.unwrap();
        assert!(
            matches!(room.authenticate(&key.id, None).await.unwrap(), Lookup::Unknown),
            "{}",
            test.engine
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_whose_deletion_was_acknowledged_never_works_again() {
    for (room, test) in rooms().await {
        for _ in 0..20 {
            let key = room.create_root_key(&account()).await.unwrap();
            let gone = Arc::new(std::sync::atomic::AtomicBool::new(false));
            let readers: Vec<_> = (0..3)
                .map(|_| {
                    let (room, id, gone) = (room.clone(), key.id.clone(), Arc::clone(&gone));
                    tokio::spawn(async move {
                        loop {
                            let was_gone = gone.load(std::sync::atomic::Ordering::SeqCst);
                            let works =
                                matches!(room.authenticate(&id, None).await.unwrap(), Lookup::Found(_));
                            if was_gone {
                                return works;
                            }
                            tokio::task::yield_now().await;
                        }
                    })
                })
                .collect();
            room.delete_root_key(&account(), &key.id).await.unwrap();
            gone.store(true, std::sync::atomic::Ordering::SeqCst);
            for reader in readers {
                assert!(!reader.await.unwrap(), "{}", test.engine);
            }
        }
    }
}
