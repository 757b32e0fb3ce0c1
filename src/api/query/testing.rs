//! Rooms, guard and signed requests for the tests of the IAM and STS doors, on every engine, without sockets.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use aws::Service;
use aws::sigv4::{self, Credentials, Input};
use policy::{AccountId, Region};

use super::{Error, Request};
use crate::access::audit::{Audit, Settings};
use crate::access::{Arrival, Guard, Origin};
use crate::api::{Names, OperationName, Services};
use crate::catalog::{Catalog, Limits};
use crate::environment::{Clock as _, Environment, ManualClock, NoRandomness, Random, SECOND};
use crate::identity::IdentityRoom;
use crate::store::blob::Blobs;
use crate::store::db::testing::{TestDatabase, databases};
use crate::store::seal::Sealer;

/// The moment at which all tests begin, seconds since the epoch: 2025-11-23T12:13:20Z.
pub(crate) const NOW: i64 = 1_763_900_000;
/// The account of most tests.
pub(crate) const OWNER: &str = "123456789012";
/// Another account of the same installation.
pub(crate) const STRANGER: &str = "000000000001";

#[derive(Debug)]
struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), NoRandomness> {
        getrandom::fill(buffer).map_err(|_| NoRandomness)
    }
}

/// What signs requests.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) token: Option<String>,
}

/// Two accounts on one engine.
pub(crate) struct House {
    pub(crate) services: Services,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) root: Key,
    pub(crate) stranger: Key,
    pub(crate) engine: &'static str,
    _test: TestDatabase,
}

/// One house on every engine.
pub(crate) async fn houses() -> Vec<House> {
    let mut houses = Vec::new();
    for test in databases().await {
        houses.push(House::open(test).await);
    }
    houses
}

impl House {
    async fn open(test: TestDatabase) -> Self {
        let clock = Arc::new(ManualClock::at(NOW * SECOND));
        let environment = Environment::new(Arc::clone(&clock) as _, Arc::new(SystemRandom));
        let folder = test.folder.path();
        let sealer = Arc::new(Sealer::open_or_create(&folder.join("keys"), environment.clone()).unwrap());
        let blobs = Blobs::open(&format!("file:{}", folder.join("blobs").display()).parse().unwrap()).await;
        let database = test.database.clone();
        let blobs = Arc::new(blobs.unwrap());
        let catalog = Catalog::new(database.clone(), blobs, environment.clone(), Limits::default());
        let identity = IdentityRoom::new(database, Arc::clone(&sealer), environment.clone());
        let settings = Settings { folder: folder.join("audit"), segment_bytes: 1 << 20, keep_segments: 2 };
        let audit = Audit::open(settings, environment.clone()).unwrap();
        let guard =
            Guard::new(identity.clone(), catalog.clone(), Arc::clone(&sealer), environment, audit, 900);
        let mut keys = Vec::new();
        for account in [OWNER, STRANGER] {
            let account = AccountId::parse(account).unwrap();
            identity.create_account(&account).await.unwrap();
            let key = identity.create_root_key(&account).await.unwrap();
            keys.push(Key { id: key.id, secret: key.secret.to_string(), token: None });
        }
        let names = Arc::new(Names {
            account: AccountId::parse(OWNER).unwrap(),
            region: Region::parse("eu-central-1").unwrap(),
            public_host: "localhost:4580".to_owned(),
            is_secure: false,
        });
        let (stranger, root) = (keys.pop().unwrap(), keys.pop().unwrap());
        let engine = test.engine;
        Self {
            services: Services { catalog, identity, guard, sealer, names },
            clock,
            root,
            stranger,
            engine,
            _test: test,
        }
    }

    /// A signed request of the service's version; the operation comes first.
    pub(crate) fn request(&self, service: Service, key: &Key, parameters: &[(&str, &str)]) -> Request {
        let mut form = format!("Version={}", service.version());
        for (name, value) in parameters {
            form.push_str(&format!("&{name}={}", aws::percent::encode(value)));
        }
        self.signed(service, key, form)
    }

    /// A signed request with this form.
    pub(crate) fn signed(&self, service: Service, key: &Key, form: String) -> Request {
        let headers = [("host", &b"localhost:4580"[..])];
        let digest: [u8; 32] = <sha2::Sha256 as sha2::Digest>::digest(form.as_bytes()).into();
        let now = self.clock.now() / SECOND;
        let input =
            Input { method: "POST", path: "/", query: "", headers: &headers, body_sha256: &digest, now };
        let credentials = Credentials {
            access_key_id: &key.id,
            secret_access_key: &key.secret,
            session_token: key.token.as_deref(),
        };
        let mut request = http::Request::post("/").header("host", "localhost:4580");
        for (name, value) in sigv4::sign(&input, &credentials, "us-east-1", service.signing_name()) {
            request = request.header(name, value);
        }
        let head = request.body(()).unwrap().into_parts().0;
        Request { head, body: form.into_bytes().into(), arrival: arrival(), label: OperationName::default() }
    }
}

/// The loopback address, asking for the default region.
pub(crate) fn arrival() -> Arrival {
    Arrival {
        origin: Origin {
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            is_secure: false,
            user_agent: None,
            referer: None,
        },
        region: Region::parse("eu-central-1").unwrap(),
        request_id: "00000000-0000-4000-8000-000000000000".to_owned(),
    }
}

/// An answer as a client reads it.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) xml: String,
}

impl Answer {
    /// What goes over the wire for an outcome.
    pub(crate) fn of(service: Service, outcome: Result<Vec<u8>, Error>) -> Self {
        match outcome {
            Ok(xml) => Self { status: 200, xml: String::from_utf8(xml).unwrap() },
            Err(error) => {
                let wire = error.wire(service);
                let is_sender = wire.status.as_u16() < 500;
                let xml = aws::xml::error(service, is_sender, wire.code, &wire.message, "id");
                Self { status: wire.status.as_u16(), xml: String::from_utf8(xml).unwrap() }
            }
        }
    }

    /// The text of the first element of this name.
    pub(crate) fn text(&self, element: &str) -> String {
        self.texts(element).first().cloned().unwrap_or_else(|| panic!("no <{element}> in {}", self.xml))
    }

    /// The texts of all elements of this name, in order.
    pub(crate) fn texts(&self, element: &str) -> Vec<String> {
        let (start, end) = (format!("<{element}>"), format!("</{element}>"));
        let pieces = self.xml.split(&start).skip(1);
        pieces.map(|piece| unescape(piece.split(&end).next().unwrap())).collect()
    }

    /// Whether there is such an element.
    pub(crate) fn has(&self, element: &str) -> bool {
        self.xml.contains(&format!("<{element}>")) || self.xml.contains(&format!("<{element}/>"))
    }

    /// The answer, which must be a success.
    pub(crate) fn good(self, what: &str) -> Self {
        assert_eq!(self.status, 200, "{what}: {}", self.xml);
        self
    }

    /// Status, code and message of a refusal.
    pub(crate) fn refusal(&self) -> (u16, String, String) {
        (self.status, self.text("Code"), self.text("Message"))
    }
}

fn unescape(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}
