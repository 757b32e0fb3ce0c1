//! The contract of repositories, on every engine.

use std::collections::BTreeMap;
use std::sync::Arc;

use ::policy::Principal;

use super::{InitialTags, NewRepository, RepositoryPolicy, ResourceTags};
use crate::access::action::{
    CreateRepository, DeleteLifecyclePolicy, DeleteRepository, DeleteRepositoryPolicy,
    DescribeAllRepositories, DescribeRepositories, GetLifecyclePolicy, GetRepositoryPolicy,
    ListTagsForResource, PutImageScanningConfiguration, PutImageTagMutability, PutLifecyclePolicy,
    SetRepositoryPolicy, TagResource, UntagResource,
};
use crate::access::testing::{allow, registry, repository};
use crate::access::{Allowed, Resource};
use crate::catalog::{Catalog, Error, Limits, Mode, TagMutability};
use crate::environment::{Environment, ManualClock, NoRandomness, Random};
use crate::params;
use crate::store::blob::Blobs;
use crate::store::db::Durability;
use crate::store::db::testing::{TestDatabase, databases};

const NOW: i64 = 1_700_000_000_000_000;

#[derive(Debug)]
struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), NoRandomness> {
        getrandom::fill(buffer).map_err(|_| NoRandomness)
    }
}

async fn catalog(test: &TestDatabase, limits: Limits) -> Catalog {
    let environment = Environment::new(Arc::new(ManualClock::at(NOW)), Arc::new(SystemRandom));
    let location = format!("file:{}", test.folder.path().join("blobs").display()).parse().unwrap();
    let blobs = Blobs::open(&location).await.unwrap();
    Catalog::new(test.database.clone(), Arc::new(blobs), environment, limits)
}

async fn create(catalog: &Catalog, name: &str) -> Result<super::StoredRepository, Error> {
    catalog.create_repository(&allow(repository(name)), NewRepository::default()).await
}

fn all() -> Allowed<DescribeAllRepositories> {
    allow(Resource::AllRepositories(registry()))
}

fn tags(pairs: &[(&str, &str)]) -> ResourceTags {
    ResourceTags::new(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
        .unwrap()
}

#[tokio::test]
async fn a_new_repository_has_the_defaults_and_its_name_only_once() {
    for test in databases().await {
        let catalog = catalog(&test, Limits::default()).await;
        let created = create(&catalog, "team/app").await.unwrap();
        assert_eq!(created.address, repository("team/app"));
        assert_eq!(created.created_at, NOW);
        assert_eq!(created.tag_mutability, TagMutability::default());
        assert!(!created.scan_on_push);
        assert_eq!((created.encryption_type.as_str(), created.kms_key.as_deref()), ("AES256", None));
        assert!(matches!(create(&catalog, "team/app").await, Err(Error::RepositoryAlreadyExists(_))));

        let found = catalog.describe_repositories(&[allow(repository("team/app"))]).await.unwrap();
        assert_eq!(found, [created], "{}", test.engine);
    }
}

#[tokio::test]
async fn one_of_many_creators_wins() {
    for test in databases().await {
        let catalog = catalog(&test, Limits::default()).await;
        let attempts = (0..16).map(|_| create(&catalog, "race"));
        let outcomes = futures_util::future::join_all(attempts).await;
        let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        assert_eq!(won, 1, "{}", test.engine);
        for outcome in outcomes {
            assert!(matches!(outcome, Ok(_) | Err(Error::RepositoryAlreadyExists(_))), "{outcome:?}");
        }
    }
}

#[tokio::test]
async fn a_full_registry_takes_no_more_and_keeps_nothing_of_the_attempt() {
    for test in databases().await {
        let limits = Limits { repositories_per_registry: 2, ..Limits::default() };
        let catalog = catalog(&test, limits).await;
        create(&catalog, "one").await.unwrap();
        create(&catalog, "two").await.unwrap();
        let refused = create(&catalog, "three").await;
        assert!(matches!(refused, Err(Error::LimitExceeded { maximum: 2, .. })), "{refused:?}");
        assert!(matches!(create(&catalog, "two").await, Err(Error::RepositoryAlreadyExists(_))));
        assert_eq!(catalog.list_repositories(&all(), None, 10).await.unwrap().repositories.len(), 2);
    }
}

#[tokio::test]
async fn pages_follow_the_order_of_names_and_miss_nothing() {
    for test in databases().await {
        let catalog = catalog(&test, Limits::default()).await;
        // Byte order, which a locale would change.
        let mut names = vec!["a-b", "a.b", "a/b", "a0", "a_b", "ab", "b", "z/z"];
        names.retain(|name| name.len() >= 2);
        for name in names.iter().rev() {
            create(&catalog, name).await.unwrap();
        }
        names.sort_unstable();
        for size in [1, 2, 3, 7, 100] {
            let mut seen = Vec::new();
            let mut after = None;
            loop {
                let page = catalog.list_repositories(&all(), after.as_ref(), size).await.unwrap();
                assert!(page.repositories.len() <= usize::try_from(size).unwrap());
                seen.extend(page.repositories.iter().map(|found| found.address.name.to_string()));
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            assert_eq!(seen, names, "{} pages of {size}", test.engine);
        }
    }
}

#[tokio::test]
async fn one_missing_name_fails_the_whole_description() {
    for test in databases().await {
        let catalog = catalog(&test, Limits::default()).await;
        create(&catalog, "bb").await.unwrap();
        create(&catalog, "aa").await.unwrap();
        let named = |names: &[&str]| -> Vec<Allowed<DescribeRepositories>> {
            names.iter().map(|name| allow(repository(name))).collect()
        };
        let found = catalog.describe_repositories(&named(&["bb", "aa", "bb"])).await.unwrap();
        let found: Vec<_> = found.iter().map(|found| found.address.name.as_str()).collect();
        assert_eq!(found, ["aa", "bb"]);
        let missing = catalog.describe_repositories(&named(&["aa", "nn", "mm"])).await;
        assert!(matches!(missing, Err(Error::RepositoryNotFound(place)) if place.name.as_str() == "nn"));
    }
}

/// Puts a blob, its link, an image with a tag and an upload into a repository, as other parts of the room do.
async fn fill(test: &TestDatabase, catalog: &Catalog, name: &str) {
    let id = catalog.require_repository(&repository(name)).await.unwrap();
    let mut open = test.database.begin(Durability::Durable).await.unwrap();
    for (sql, parameters) in [
        (
            "INSERT INTO blob (digest, generation, size_bytes, state, created_at, review_after) \
             VALUES ('sha256:b', 'g', 1, 'stored', 0, 0) ON CONFLICT (digest) DO NOTHING",
            params![],
        ),
        (
            "INSERT INTO blob_link (repository_id, blob, linked_at) SELECT $1, number, 0 FROM blob",
            params![id.as_str()],
        ),
        (
            "INSERT INTO image (repository_id, digest, media_type, manifest, annotations, size_bytes, \
             pushed_at, pushed_by) VALUES ($1, 'sha256:i', 'm', $2, '{}', 1, 0, 'x')",
            params![id.as_str(), b"{}".as_slice()],
        ),
        (
            "INSERT INTO tag (id, repository_id, name, digest, set_at, set_by) \
             VALUES ($1, $2, 'latest', 'sha256:i', 0, 'x')",
            params![format!("tag-{id}"), id.as_str()],
        ),
        (
            "INSERT INTO upload (id, repository_id, started_at, started_by, expires_at) \
             VALUES ($1, $2, 0, 'x', 0)",
            params![format!("upload-{id}"), id.as_str()],
        ),
    ] {
        open.execute(sql, parameters).await.unwrap();
    }
    open.commit().await.unwrap();
}

#[tokio::test]
async fn deletion_takes_everything_of_one_repository_and_nothing_of_another() {
    for test in databases().await {
        let catalog = catalog(&test, Limits::default()).await;
        for name in ["full", "other"] {
            create(&catalog, name).await.unwrap();
            fill(&test, &catalog, name).await;
        }
        catalog.tag_repository(&allow(repository("full")), &tags(&[("k", "v")])).await.unwrap();
        let allowed: Allowed<DeleteRepository> = allow(repository("full"));
        let refused = catalog.delete_repository(&allowed, false).await;
        assert!(matches!(refused, Err(Error::RepositoryNotEmpty(_))), "{refused:?}");

        let deleted = catalog.delete_repository(&allowed, true).await.unwrap();
        assert_eq!(deleted.address.name.as_str(), "full");
        let gone = catalog.delete_repository(&allowed, true).await;
        assert!(matches!(gone, Err(Error::RepositoryNotFound(_))), "{gone:?}");
        for sql in [
            "SELECT COUNT(*) FROM image",
            "SELECT COUNT(*) FROM tag",
            "SELECT COUNT(*) FROM upload",
            "SELECT COUNT(*) FROM blob_link",
        ] {
            let left: i64 = test.database.row(sql, params![]).await.unwrap().unwrap().get(0).unwrap();
            assert_eq!(left, 1, "{}: {sql}", test.engine);
        }
        let blob = test.database.row("SELECT review_after FROM blob", params![]).await.unwrap().unwrap();
        assert_eq!(blob.get::<i64>(0).unwrap(), NOW + Limits::default().blob_grace);

        // The same name again is another, empty repository.
        create(&catalog, "full").await.unwrap();
        let tags: Allowed<ListTagsForResource> = allow(repository("full"));
        assert_eq!(catalog.list_repository_tags(&tags).await.unwrap(), []);
        catalog.delete_repository(&allowed, false).await.unwrap();
    }
}

#[tokio::test]
async fn mode_and_filters_change_together() {
    for test in databases().await {
        let catalog = catalog(&test, Limits::default()).await;
        let allowed: Allowed<PutImageTagMutability> = allow(repository("app"));
        let setting = TagMutability {
            mode: Mode::ImmutableWithExclusion,
            filters: vec!["dev-*".parse().unwrap(), "latest".parse().unwrap()],
        };
        let missing = catalog.put_tag_mutability(&allowed, &setting).await;
        assert!(matches!(missing, Err(Error::RepositoryNotFound(_))));
        create(&catalog, "app").await.unwrap();
        for wanted in [setting, TagMutability { mode: Mode::Immutable, filters: vec![] }] {
            catalog.put_tag_mutability(&allowed, &wanted).await.unwrap();
            let found = catalog.describe_repositories(&[allow(repository("app"))]).await.unwrap();
            assert_eq!(found[0].tag_mutability, wanted, "{}", test.engine);
        }
    }
}

#[tokio::test]
async fn scanning_is_refused_and_not_stored() {
    for test in databases().await {
        let catalog = catalog(&test, Limits::default()).await;
        let allowed: Allowed<PutImageScanningConfiguration> = allow(repository("app"));
        let missing = catalog.put_scan_on_push(&allowed, true).await;
        assert!(matches!(missing, Err(Error::RepositoryNotFound(_))));
        create(&catalog, "app").await.unwrap();
        assert!(matches!(catalog.put_scan_on_push(&allowed, true).await, Err(Error::NotSupported { .. })));
        catalog.put_scan_on_push(&allowed, false).await.unwrap();
        let found = catalog.describe_repositories(&[allow(repository("app"))]).await.unwrap();
        assert!(!found[0].scan_on_push);
    }
}

#[tokio::test]
async fn tags_merge_up_to_fifty_and_never_half() {
    for test in databases().await {
        let catalog = catalog(&test, Limits::default()).await;
        let initial =
            InitialTags { allowed: allow(repository("app")), tags: tags(&[("team", "a"), ("env", "x")]) };
        let new = NewRepository { tags: Some(initial), ..NewRepository::default() };
        catalog.create_repository(&allow(repository("app")), new).await.unwrap();
        let tag: Allowed<TagResource> = allow(repository("app"));
        catalog.tag_repository(&tag, &tags(&[("env", "y"), ("Env", "z")])).await.unwrap();
        let list: Allowed<ListTagsForResource> = allow(repository("app"));
        let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> { tags(pairs).as_slice().to_vec() };
        let merged = pairs(&[("Env", "z"), ("env", "y"), ("team", "a")]);
        assert_eq!(catalog.list_repository_tags(&list).await.unwrap(), merged, "{}", test.engine);
        let facts = catalog.access_facts(&repository("app")).await.unwrap().unwrap();
        assert_eq!(facts.tags, merged);

        let many = (0..48).map(|number| (format!("k{number}"), String::new())).collect();
        let refused = catalog.tag_repository(&tag, &ResourceTags::new(many).unwrap()).await;
        assert!(matches!(refused, Err(Error::TooManyTags)), "{refused:?}");
        assert_eq!(catalog.list_repository_tags(&list).await.unwrap(), merged);

        let untag: Allowed<UntagResource> = allow(repository("app"));
        let keys = ["env", "absent"].map(str::to_owned);
        catalog.untag_repository(&untag, &keys).await.unwrap();
        assert_eq!(catalog.list_repository_tags(&list).await.unwrap(), pairs(&[("Env", "z"), ("team", "a")]));
    }
}

#[tokio::test]
async fn tags_of_another_repository_are_not_set_by_a_mix_up_of_proofs() {
    for test in databases().await {
        let catalog = catalog(&test, Limits::default()).await;
        let initial = InitialTags { allowed: allow(repository("other")), tags: tags(&[("k", "v")]) };
        let new = NewRepository { tags: Some(initial), ..NewRepository::default() };
        let allowed: Allowed<CreateRepository> = allow(repository("app"));
        assert!(matches!(catalog.create_repository(&allowed, new).await, Err(Error::Internal(_))));
        assert_eq!(catalog.list_repositories(&all(), None, 10).await.unwrap().repositories, []);
    }
}

#[test]
fn tags_that_cannot_be() {
    let new = |pairs: Vec<(String, String)>| ResourceTags::new(pairs);
    let pair = |key: &str, value: &str| vec![(key.to_owned(), value.to_owned())];
    for bad in [
        pair("", "v"),
        pair("aws:x", "v"),
        pair("AWS:x", "v"),
        pair(&"k".repeat(129), "v"),
        pair("k", &"v".repeat(257)),
        pair("k\0", "v"),
        pair("k", "v\n"),
        pair("k", "<v>"),
        [pair("k", "1"), pair("k", "2")].concat(),
    ] {
        assert!(matches!(new(bad.clone()), Err(Error::InvalidTagParameter { .. })), "{bad:?}");
    }
    for good in [pair(&"ü".repeat(128), &"v".repeat(256)), pair("k.:/=+-@ _", ""), pair("aws", "aws:")] {
        assert!(new(good.clone()).is_ok(), "{good:?}");
    }
    let many = |count: usize| (0..count).map(|number| (number.to_string(), String::new())).collect();
    assert!(new(many(50)).is_ok());
    assert!(matches!(new(many(51)), Err(Error::TooManyTags)));
    assert!(matches!(new(many(5000)), Err(Error::TooManyTags)));
}

const KEEP_TEN: &str = r#"{ "rules": [ { "action": {"type": "expire"}, "rulePriority": 1,
    "selection": {"countNumber": 10, "countType": "imageCountMoreThan", "tagStatus": "any"} } ] }"#;

#[tokio::test]
async fn a_lifecycle_policy_is_validated_kept_as_given_and_shown_canonically() {
    for test in databases().await {
        let catalog = catalog(&test, Limits::default()).await;
        let put: Allowed<PutLifecyclePolicy> = allow(repository("app"));
        let get: Allowed<GetLifecyclePolicy> = allow(repository("app"));
        let delete: Allowed<DeleteLifecyclePolicy> = allow(repository("app"));
        assert!(matches!(
            catalog.put_lifecycle_policy(&put, KEEP_TEN).await,
            Err(Error::RepositoryNotFound(_))
        ));
        assert!(matches!(catalog.lifecycle_policy(&get).await, Err(Error::RepositoryNotFound(_))));
        create(&catalog, "app").await.unwrap();
        assert!(matches!(catalog.lifecycle_policy(&get).await, Err(Error::LifecyclePolicyNotFound(_))));
        assert!(matches!(
            catalog.delete_lifecycle_policy(&delete).await,
            Err(Error::LifecyclePolicyNotFound(_))
        ));

        let put_policy = catalog.put_lifecycle_policy(&put, KEEP_TEN).await.unwrap();
        let refused = catalog.put_lifecycle_policy(&put, "{}").await;
        assert!(matches!(
            refused,
            Err(Error::InvalidParameter { parameter: "LifecyclePolicyText", constraint })
                if constraint.starts_with("Lifecycle policy validation failure: object has missing required")
        ));
        let stored = catalog.lifecycle_policy(&get).await.unwrap();
        assert_eq!((stored.text.as_str(), stored.evaluated_at), (KEEP_TEN, 0), "{}", test.engine);
        assert_eq!(stored.policy, put_policy);
        let canonical = concat!(
            r#"{"rules":[{"rulePriority":1,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","#,
            r#""countNumber":10},"action":{"type":"expire"}}]}"#
        );
        assert_eq!(stored.policy.canonical_text(), canonical);
        assert_eq!(catalog.delete_lifecycle_policy(&delete).await.unwrap(), stored);
        assert!(matches!(catalog.lifecycle_policy(&get).await, Err(Error::LifecyclePolicyNotFound(_))));
    }
}

const ALICE: &str = "arn:aws:iam::123456789012:user/alice";

fn alice_may_pull() -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Principal":{{"AWS":"{ALICE}"}},
        "Action":"ecr:BatchGetImage"}}}}"#
    )
}

fn alice(id: &str) -> Principal {
    Principal::User {
        account: registry().account,
        path: "/".to_owned(),
        name: "alice".to_owned(),
        id: id.to_owned(),
        tags: Vec::new(),
    }
}

async fn may_pull(catalog: &Catalog, who: &Principal) -> bool {
    let facts = catalog.access_facts(&repository("app")).await.unwrap().unwrap();
    let set = ::policy::PolicySet { resource: facts.policy.into_iter().collect(), ..Default::default() };
    let account = registry().account;
    let mut context = ::policy::Context::new();
    who.context(&mut context);
    let request = ::policy::Request {
        principal: who,
        action: "ecr:BatchGetImage",
        resource: &repository("app").arn(),
        resource_account: &account,
        context: &context,
    };
    matches!(::policy::evaluate(&set, &request), ::policy::Decision::Allowed(_))
}

#[tokio::test]
async fn a_policy_means_the_user_that_it_was_set_for() {
    for test in databases().await {
        let catalog = catalog(&test, Limits::default()).await;
        let set: Allowed<SetRepositoryPolicy> = allow(repository("app"));
        let get: Allowed<GetRepositoryPolicy> = allow(repository("app"));
        let delete: Allowed<DeleteRepositoryPolicy> = allow(repository("app"));
        let policy = RepositoryPolicy::parse(&alice_may_pull()).unwrap();
        assert_eq!(policy.entities(), [ALICE]);
        let ids = BTreeMap::from([(ALICE.to_owned(), "AIDAFIRST".to_owned())]);
        let bound = policy.bind(ids).unwrap();
        assert!(matches!(
            catalog.set_repository_policy(&set, &bound).await,
            Err(Error::RepositoryNotFound(_))
        ));
        assert!(catalog.access_facts(&repository("app")).await.unwrap().is_none());
        create(&catalog, "app").await.unwrap();
        assert!(matches!(catalog.repository_policy(&get).await, Err(Error::RepositoryPolicyNotFound(_))));
        assert!(!may_pull(&catalog, &alice("AIDAFIRST")).await);

        catalog.set_repository_policy(&set, &bound).await.unwrap();
        assert_eq!(catalog.repository_policy(&get).await.unwrap(), bound, "{}", test.engine);
        assert!(may_pull(&catalog, &alice("AIDAFIRST")).await);
        assert!(!may_pull(&catalog, &alice("AIDASECOND")).await, "a new user of the old name");

        assert_eq!(catalog.delete_repository_policy(&delete).await.unwrap(), bound);
        assert!(!may_pull(&catalog, &alice("AIDAFIRST")).await, "gone at the next question");
        assert!(matches!(
            catalog.delete_repository_policy(&delete).await,
            Err(Error::RepositoryPolicyNotFound(_))
        ));
    }
}

#[tokio::test]
async fn a_policy_that_cannot_be_read_denies() {
    for test in databases().await {
        let catalog = catalog(&test, Limits::default()).await;
        create(&catalog, "app").await.unwrap();
        let mut open = test.database.begin(Durability::Durable).await.unwrap();
        open.execute("UPDATE repository SET policy = 'garbage'", params![]).await.unwrap();
        open.commit().await.unwrap();
        assert!(!may_pull(&catalog, &alice("AIDAFIRST")).await);
    }
}

#[test]
fn policies_that_are_refused() {
    let statement =
        |rest: &str| format!(r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow",{rest}}}]}}"#);
    for bad in [
        String::new(),
        "{}".to_owned(),
        "[]".to_owned(),
        statement(r#""Action":"ecr:*""#),
        statement(r#""Principal":"*""#),
        statement(r#""Principal":"*","Action":"s3:*""#),
        statement(r#""Principal":"*","Action":"ecr:*","Resource":"*""#),
        statement(r#""Principal":{"AWS":"AIDAIOSFODNN7EXAMPLE1"},"Action":"ecr:*""#),
        statement(&format!(r#""Sid":"{}","Principal":"*","Action":"ecr:*""#, "a".repeat(10_240))),
        alice_may_pull().replace("\"Action\"", "\"Effect\":\"Deny\",\"Action\""),
    ] {
        let refused = RepositoryPolicy::parse(&bad);
        assert!(
            matches!(
                &refused,
                Err(Error::InvalidParameter { parameter: "PolicyText", constraint })
                    if constraint == "Invalid repository policy provided"
            ),
            "{bad:.80}: {refused:?}"
        );
    }
    let unknown = RepositoryPolicy::parse(&alice_may_pull()).unwrap().bind(BTreeMap::new());
    assert!(matches!(
        unknown,
        Err(Error::InvalidParameter { parameter: "PolicyText", constraint }) if constraint == "Principal not found"
    ));
}
