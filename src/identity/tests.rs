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
            (first.secret.as_str(), "arn:aws:iam::123456789012:root".to_owned())
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
