//! A door over fresh rooms, two accounts, and signed requests to it.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use aws::sigv4::{self, Credentials, Input};
use policy::{AccountId, Region};
use serde_json::Value;

use crate::access::audit::{Audit, Settings};
use crate::access::testing::allow;
use crate::access::{Arrival, Guard, Identity, Origin, action};
use crate::api::{Names, Services};
use crate::catalog::{Catalog, Limits};
use crate::environment::{Environment, ManualClock, NoRandomness, Random, SECOND};
use crate::identity::{IdentityRoom, NewAccessKey};
use crate::store::blob::Blobs;
use crate::store::db::testing::{TestDatabase, databases};
use crate::store::seal::Sealer;

/// The moment at which all tests begin, seconds since the epoch.
pub(super) const NOW: i64 = 1_763_900_000;
pub(super) const OWNER: &str = "123456789012";
pub(super) const STRANGER: &str = "000000000001";

#[derive(Debug)]
struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), NoRandomness> {
        getrandom::fill(buffer).map_err(|_| NoRandomness)
    }
}

/// The door and who knocks.
pub(super) struct Door {
    pub(super) services: Services,
    pub(super) clock: Arc<ManualClock>,
    pub(super) owner: NewAccessKey,
    pub(super) stranger: NewAccessKey,
    pub(super) engine: &'static str,
    pub(super) test: TestDatabase,
}

/// A door on every engine.
pub(super) async fn doors() -> Vec<Door> {
    doors_with(Limits::default()).await
}

pub(super) async fn doors_with(limits: Limits) -> Vec<Door> {
    let mut doors = Vec::new();
    for test in databases().await {
        doors.push(Door::open(test, limits).await);
    }
    doors
}

impl Door {
    async fn open(test: TestDatabase, limits: Limits) -> Self {
        let clock = Arc::new(ManualClock::at(NOW * SECOND));
        let environment = Environment::new(Arc::clone(&clock) as _, Arc::new(SystemRandom));
        let folder = test.folder.path();
        let sealer = Arc::new(Sealer::open_or_create(&folder.join("keys"), environment.clone()).unwrap());
        let blobs = Blobs::open(&format!("file:{}", folder.join("blobs").display()).parse().unwrap()).await;
        let database = test.database.clone();
        let catalog = Catalog::new(database.clone(), Arc::new(blobs.unwrap()), environment.clone(), limits);
        let identity = IdentityRoom::new(database, Arc::clone(&sealer), environment.clone());
        let settings = Settings { folder: folder.join("audit"), segment_bytes: 1 << 20, keep_segments: 2 };
        let audit = Audit::open(settings, environment.clone()).unwrap();
        let guard =
            Guard::new(identity.clone(), catalog.clone(), Arc::clone(&sealer), environment, audit, 900);
        let mut keys = Vec::new();
        for account in [OWNER, STRANGER] {
            let account = AccountId::parse(account).unwrap();
            identity.create_account(&account).await.unwrap();
            keys.push(identity.create_root_key(&account).await.unwrap());
        }
        let names = Arc::new(Names {
            account: AccountId::parse(OWNER).unwrap(),
            region: Region::parse("eu-central-1").unwrap(),
            public_host: "{account}.dkr.ecr.{region}.registry.example".to_owned(),
            is_secure: true,
        });
        let (stranger, owner) = (keys.pop().unwrap(), keys.pop().unwrap());
        let engine = test.engine;
        let services = Services { catalog, identity, guard, sealer, names };
        Self { services, clock, owner, stranger, engine, test }
    }

    /// What the owner's root gets: HTTP status and body.
    pub(super) async fn call(&self, operation: &str, body: &str) -> (u16, Value) {
        self.call_as(&self.owner, operation, body).await
    }

    /// The body of an answer that must be good.
    pub(super) async fn good(&self, operation: &str, body: &str) -> Value {
        let (status, answer) = self.call(operation, body).await;
        assert_eq!(status, 200, "{operation} {body:.200} on {}: {answer}", self.engine);
        answer
    }

    /// Exception and message of an answer that must be a refusal.
    pub(super) async fn refused(&self, operation: &str, body: &str) -> (String, String) {
        exception(&self.call(operation, body).await)
    }

    pub(super) async fn call_as(&self, key: &NewAccessKey, operation: &str, body: &str) -> (u16, Value) {
        let target = format!("{}.{operation}", aws::ecr::TARGET_PREFIX);
        let head = self.signed_head(key, &target, body);
        self.send(&head, body).await
    }

    /// The head of a request, correctly signed now.
    pub(super) fn signed_head(&self, key: &NewAccessKey, target: &str, body: &str) -> http::request::Parts {
        let headers = [("host", &b"localhost:4580"[..]), ("x-amz-target", target.as_bytes())];
        let digest: [u8; 32] = <sha2::Sha256 as sha2::Digest>::digest(body.as_bytes()).into();
        let input =
            Input { method: "POST", path: "/", query: "", headers: &headers, body_sha256: &digest, now: NOW };
        let credentials =
            Credentials { access_key_id: &key.id, secret_access_key: &key.secret, session_token: None };
        let mut request = http::Request::post("/");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        for (name, value) in sigv4::sign(&input, &credentials, "eu-central-1", "ecr") {
            request = request.header(name, value);
        }
        request.body(()).unwrap().into_parts().0
    }

    /// Answers a request as [`crate::api::ecr::handle`] does once it has read the body.
    pub(super) async fn send(&self, head: &http::request::Parts, body: &str) -> (u16, Value) {
        let arrival = Arrival {
            origin: Origin {
                address: IpAddr::V4(Ipv4Addr::LOCALHOST),
                is_secure: false,
                user_agent: None,
                referer: None,
            },
            region: Region::parse("eu-central-1").unwrap(),
            request_id: "00000000-0000-4000-8000-000000000000".to_owned(),
        };
        let body = bytes::Bytes::copy_from_slice(body.as_bytes());
        let outcome = match super::super::target(&head.headers) {
            Ok(name) => super::super::perform(&self.services, head, name, body, arrival).await,
            Err(error) => Err(error),
        };
        let (status, body) = match outcome {
            Ok(body) => (200, body),
            Err(error) => {
                let (status, body) = error.answer();
                (status.as_u16(), body)
            }
        };
        (status, serde_json::from_slice(&body).unwrap())
    }
}

/// Exception and message of an answer; they are 400, all of them.
pub(super) fn exception((status, body): &(u16, Value)) -> (String, String) {
    assert_eq!(*status, 400, "{body}");
    let text = |name: &str| body[name].as_str().unwrap_or_else(|| panic!("{body}")).to_owned();
    (text("__type"), text("message"))
}

/// A user of an account and its key.
pub(super) struct User {
    pub(super) arn: String,
    pub(super) key: NewAccessKey,
    identity: Identity,
}

impl Door {
    /// A new user, with an inline policy when there is one.
    pub(super) async fn user(&self, account: &str, name: &str, policy: Option<&Value>) -> User {
        let arn = format!("arn:aws:iam::{account}:user/{name}");
        let account = AccountId::parse(account).unwrap();
        let identity = Identity { account, arn: arn.clone(), display: format!("user {name}") };
        let room = &self.services.identity;
        room.create_user(&allow::<action::CreateUser>(identity.clone()), None, &[]).await.unwrap();
        if let Some(policy) = policy {
            let allowed = allow::<action::PutUserPolicy>(identity.clone());
            room.put_inline_policy(&allowed, "inline", &policy.to_string()).await.unwrap();
        }
        let (_, key) =
            room.create_access_key(&allow::<action::CreateAccessKey>(identity.clone())).await.unwrap();
        User { arn, key, identity }
    }

    /// Removes a user that has no policy.
    pub(super) async fn remove_user(&self, user: &User) {
        let room = &self.services.identity;
        let allowed = allow::<action::DeleteAccessKey>(user.identity.clone());
        room.delete_access_key(&allowed, &user.key.id).await.unwrap();
        room.delete_user(&allow::<action::DeleteUser>(user.identity.clone())).await.unwrap();
    }
}
