//! The contract of creation templates, on every engine.

use std::collections::BTreeMap;

use ::policy::PolicySource;

use super::{CreationTemplate, MAX_TEMPLATES, NewTemplate, TemplateChange, TemplatePrefix};
use crate::access::action::{
    CreateRepository, CreateRepositoryCreationTemplate, DeleteRepositoryCreationTemplate,
    DescribeRepositoryCreationTemplates, GetLifecyclePolicy, GetRepositoryPolicy, InitiateLayerUpload,
    ListTagsForResource, PutImage, TagResource, UpdateRepositoryCreationTemplate,
};
use crate::access::testing::{allow, registry, repository};
use crate::catalog::repository::{BoundPolicy, RepositoryPolicy, ResourceTags};
use crate::catalog::testing::{Room, rooms};
use crate::catalog::{Error, Mode, TagMutability};
use crate::environment::SECOND;

const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"ecr:BatchGetImage"}]}"#;

const LIFECYCLE: &str = r#"{"rules":[{"rulePriority":1,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":3},"action":{"type":"expire"}}]}"#;

fn prefix(text: &str) -> TemplatePrefix {
    TemplatePrefix::parse(text).unwrap()
}

fn plain(text: &str) -> NewTemplate {
    NewTemplate {
        prefix: prefix(text),
        description: None,
        tag_mutability: TagMutability::default(),
        resource_tags: ResourceTags::default(),
        policy: None,
        lifecycle_policy: None,
    }
}

fn immutable() -> TagMutability {
    TagMutability { mode: Mode::Immutable, filters: Vec::new() }
}

fn bound() -> BoundPolicy {
    RepositoryPolicy::parse(POLICY).unwrap().bind(BTreeMap::new()).unwrap()
}

fn tags() -> ResourceTags {
    ResourceTags::new(vec![("team".to_owned(), "a".to_owned())]).unwrap()
}

async fn create(room: &Room, new: NewTemplate) -> Result<CreationTemplate, Error> {
    let allowed = allow::<CreateRepositoryCreationTemplate>(registry());
    room.catalog.create_creation_template(&allowed, new).await
}

async fn update(room: &Room, text: &str, change: &TemplateChange) -> Result<CreationTemplate, Error> {
    let allowed = allow::<UpdateRepositoryCreationTemplate>(registry());
    room.catalog.update_creation_template(&allowed, &prefix(text), change).await
}

async fn delete(room: &Room, text: &str) -> Result<CreationTemplate, Error> {
    let allowed = allow::<DeleteRepositoryCreationTemplate>(registry());
    room.catalog.delete_creation_template(&allowed, &prefix(text)).await
}

/// The prefix of the template that a push to this name finds.
async fn found(room: &Room, name: &str) -> Option<String> {
    let push = allow::<InitiateLayerUpload>(repository(name));
    let template = room.catalog.template_for_push(&push).await.unwrap();
    template.map(|template| template.prefix.as_str().to_owned())
}

#[test]
fn a_prefix_is_what_names_can_begin_with() {
    for (text, namespace) in
        [("ROOT", ""), ("a", "a"), ("team", "team"), ("team/", "team"), ("a/b-c/d__e/", "a/b-c/d__e")]
    {
        assert_eq!(prefix(text).namespace(), namespace);
        assert_eq!(prefix(text).as_str(), text);
    }
    for bad in ["", "/", "root/ROOT", "ROOT/", "Team", "team//", "-a", "a b", "a/../b", &"a".repeat(300)] {
        let refused = TemplatePrefix::parse(bad);
        assert!(matches!(refused, Err(Error::InvalidParameter { parameter: "prefix", .. })), "{bad:.20}");
    }
}

#[tokio::test]
async fn the_longest_namespace_decides_and_root_only_when_none_fits() {
    for room in rooms().await {
        for text in ["team", "team/deep/", "a_b"] {
            create(&room, plain(text)).await.unwrap();
        }
        for (name, expected) in [
            ("team/app", Some("team")),
            ("team/deep/app", Some("team/deep/")),
            ("team/deep/er/app", Some("team/deep/")),
            ("team/deeper/app", Some("team")),
            ("team/deep", Some("team")),
            ("team", None),
            ("teams/app", None),
            // An underscore is no wildcard.
            ("axb/app", None),
            ("a_b/app", Some("a_b")),
        ] {
            assert_eq!(found(&room, name).await.as_deref(), expected, "{name} on {}", room.test.engine);
        }
        create(&room, plain("ROOT")).await.unwrap();
        for (name, expected) in [("team", "ROOT"), ("axb/app", "ROOT"), ("team/app", "team")] {
            assert_eq!(found(&room, name).await.as_deref(), Some(expected));
        }
        let push = allow::<PutImage>(repository("team/app"));
        assert!(room.catalog.template_for_push(&push).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn one_namespace_has_one_template_however_it_is_spelled() {
    for room in rooms().await {
        create(&room, plain("team/")).await.unwrap();
        for again in ["team", "team/"] {
            let refused = create(&room, plain(again)).await;
            assert!(
                matches!(&refused, Err(Error::TemplateAlreadyExists { prefix, .. }) if prefix == again),
                "{refused:?}"
            );
        }
        let updated = update(&room, "team", &TemplateChange::default()).await.unwrap();
        assert_eq!(updated.prefix.as_str(), "team/");
        assert_eq!(delete(&room, "team").await.unwrap().prefix.as_str(), "team/");
        for missing in [delete(&room, "team").await, update(&room, "team", &TemplateChange::default()).await]
        {
            assert!(matches!(missing, Err(Error::TemplateNotFound { .. })), "{missing:?}");
        }
    }
}

#[tokio::test]
async fn a_change_keeps_what_it_does_not_name_and_takes_away_what_it_empties() {
    for room in rooms().await {
        let created = create(
            &room,
            NewTemplate {
                description: Some("for the team".to_owned()),
                tag_mutability: immutable(),
                resource_tags: tags(),
                policy: Some(bound()),
                lifecycle_policy: Some(LIFECYCLE.to_owned()),
                ..plain("team")
            },
        )
        .await
        .unwrap();
        room.clock.advance(SECOND);
        let kept = update(&room, "team", &TemplateChange::default()).await.unwrap();
        assert_eq!(kept, CreationTemplate { updated_at: created.created_at + SECOND, ..created.clone() });

        let cleared = TemplateChange {
            description: Some(None),
            tag_mutability: Some(TagMutability::default()),
            resource_tags: Some(ResourceTags::default()),
            policy: Some(None),
            lifecycle_policy: Some(None),
        };
        let cleared = update(&room, "team", &cleared).await.unwrap();
        let bare = CreationTemplate { created_at: created.created_at, ..cleared.clone() };
        assert_eq!((cleared.description, cleared.policy, cleared.lifecycle_policy), (None, None, None));
        assert_eq!(cleared.resource_tags, ResourceTags::default());
        assert_eq!(cleared.tag_mutability, TagMutability::default());
        let allowed = allow::<DescribeRepositoryCreationTemplates>(registry());
        assert_eq!(
            room.catalog.creation_templates_named(&allowed, &[prefix("team/")]).await.unwrap(),
            [bare]
        );
    }
}

#[tokio::test]
async fn documents_obey_the_rules_of_their_own_operations() {
    for room in rooms().await {
        let bad = NewTemplate { lifecycle_policy: Some("{}".to_owned()), ..plain("team") };
        let refused = create(&room, bad).await;
        assert!(
            matches!(refused, Err(Error::InvalidParameter { parameter: "LifecyclePolicyText", .. })),
            "{refused:?}"
        );
        create(&room, plain("team")).await.unwrap();
        let bad =
            TemplateChange { lifecycle_policy: Some(Some("[]".to_owned())), ..TemplateChange::default() };
        assert!(matches!(update(&room, "team", &bad).await, Err(Error::InvalidParameter { .. })));
    }
}

#[tokio::test]
async fn pages_begin_with_root_and_follow_the_namespaces() {
    for room in rooms().await {
        for text in ["zz", "ROOT", "a/b", "a-b", "aa/"] {
            create(&room, plain(text)).await.unwrap();
        }
        let allowed = allow::<DescribeRepositoryCreationTemplates>(registry());
        for size in [1, 2, 100] {
            let (mut seen, mut after) = (Vec::new(), None);
            loop {
                let page =
                    room.catalog.list_creation_templates(&allowed, after.as_ref(), size).await.unwrap();
                seen.extend(page.templates.iter().map(|template| template.prefix.as_str().to_owned()));
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            assert_eq!(seen, ["ROOT", "a-b", "a/b", "aa/", "zz"], "pages of {size}");
        }
        let named = room.catalog.creation_templates_named(&allowed, &[prefix("aa"), prefix("none")]).await;
        assert_eq!(named.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_registry_has_so_many_templates_and_no_more() {
    for room in rooms().await {
        for number in 0..MAX_TEMPLATES {
            create(&room, plain(&format!("team{number}"))).await.unwrap();
        }
        assert!(matches!(
            create(&room, plain("one-more")).await,
            Err(Error::LimitExceeded { maximum: 50, .. })
        ));
        assert!(matches!(create(&room, plain("team0")).await, Err(Error::TemplateAlreadyExists { .. })));
        delete(&room, "team0").await.unwrap();
        create(&room, plain("one-more")).await.unwrap();
    }
}

#[tokio::test]
async fn a_repository_made_by_a_template_has_all_its_settings() {
    for room in rooms().await {
        create(
            &room,
            NewTemplate {
                tag_mutability: immutable(),
                resource_tags: tags(),
                policy: Some(bound()),
                lifecycle_policy: Some(LIFECYCLE.to_owned()),
                ..plain("ROOT")
            },
        )
        .await
        .unwrap();
        let address = repository("team/app");
        let push = allow::<InitiateLayerUpload>(address.clone());
        let template = room.catalog.template_for_push(&push).await.unwrap().unwrap();
        let creating = allow::<CreateRepository>(address.clone());

        // Its tags need a right of their own.
        let refused = room.catalog.create_from_template(&creating, None, template.clone()).await;
        assert!(matches!(refused, Err(Error::Internal(_))), "{refused:?}");

        let tagging = || Some(allow::<TagResource>(address.clone()));
        let made = room.catalog.create_from_template(&creating, tagging(), template.clone()).await.unwrap();
        assert_eq!((made.tag_mutability, &made.address), (immutable(), &address));
        let catalog = &room.catalog;
        let policy = catalog.repository_policy(&allow::<GetRepositoryPolicy>(address.clone())).await.unwrap();
        assert_eq!(policy, bound());
        let lifecycle =
            catalog.lifecycle_policy(&allow::<GetLifecyclePolicy>(address.clone())).await.unwrap();
        assert_eq!((lifecycle.policy.canonical_text().as_str(), lifecycle.evaluated_at), (LIFECYCLE, 0));
        let stored =
            catalog.list_repository_tags(&allow::<ListTagsForResource>(address.clone())).await.unwrap();
        assert_eq!(stored, tags().as_slice());
        let facts = catalog.access_facts(&address).await.unwrap().unwrap();
        assert_eq!(facts.policy.unwrap().source, PolicySource::Repository);

        let again = room.catalog.create_from_template(&creating, tagging(), template).await;
        assert!(matches!(again, Err(Error::RepositoryAlreadyExists(_))), "{again:?}");
        // Later changes of the template are none of the repository's.
        delete(&room, "ROOT").await.unwrap();
        assert_eq!(catalog.repository_policy(&allow::<GetRepositoryPolicy>(address)).await.unwrap(), bound());
    }
}
