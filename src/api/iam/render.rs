//! From rows to the response shapes: which members each operation shows (iam.md §2.2, "field presence").

use aws::{Timestamp, iam, percent};

use crate::identity::{
    Entity, InstanceProfile, ManagedPolicy, Page, PageRequest, PolicyVersion, Role, Tagged,
};

/// A moment.
pub(super) fn time(microseconds: i64) -> Option<Timestamp> {
    Some(Timestamp::from_microseconds(microseconds))
}

/// A policy document: RFC 3986 percent-encoded, as every answer carries it.
pub(super) fn document(text: &str) -> Option<String> {
    Some(percent::encode(text))
}

/// Tags of a request as the rooms take them.
pub(super) fn pairs(tags: Option<&[iam::Tag]>) -> Vec<(String, String)> {
    tags.unwrap_or_default().iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect()
}

/// Tags of an answer; `None` when there are none.
pub(super) fn tags(tags: Vec<(String, String)>) -> Option<Vec<iam::Tag>> {
    if tags.is_empty() { None } else { Some(tag_list(tags)) }
}

/// Tags of an answer.
pub(super) fn tag_list(tags: Vec<(String, String)>) -> Vec<iam::Tag> {
    tags.into_iter().map(|(key, value)| iam::Tag { key, value }).collect()
}

/// The wanted part of a listing.
pub(super) fn page(marker: Option<String>, max_items: Option<i32>) -> PageRequest {
    PageRequest { marker, max_items }
}

/// The items of a page, whether more follows, and the marker.
pub(super) fn parts<T, U>(
    page: Page<T>,
    change: impl FnMut(T) -> U,
) -> (Option<Vec<U>>, Option<bool>, Option<String>) {
    let page = page.map(change);
    (Some(page.items), Some(page.next.is_some()), page.next)
}

/// A user as listings show it.
pub(super) fn user(entity: Entity) -> iam::User {
    iam::User {
        arn: Some(entity.arn()),
        path: Some(entity.path),
        user_name: Some(entity.name),
        user_id: Some(entity.id),
        create_date: time(entity.created_at),
        ..Default::default()
    }
}

/// A user with boundary and tags.
pub(super) fn whole_user(tagged: Tagged) -> iam::User {
    let permissions_boundary = boundary(tagged.entity.boundary.as_deref());
    iam::User { permissions_boundary, tags: tags(tagged.tags), ..user(tagged.entity) }
}

/// A group.
pub(super) fn group(entity: Entity) -> iam::Group {
    iam::Group {
        arn: Some(entity.arn()),
        path: Some(entity.path),
        group_name: Some(entity.name),
        group_id: Some(entity.id),
        create_date: time(entity.created_at),
    }
}

/// A role as it is shown inside other things and by CreateRole.
pub(super) fn role(role: Role) -> iam::Role {
    iam::Role {
        arn: Some(role.entity.arn()),
        path: Some(role.entity.path),
        role_name: Some(role.entity.name),
        role_id: Some(role.entity.id),
        create_date: time(role.entity.created_at),
        assume_role_policy_document: document(&role.trust_policy),
        description: role.description,
        ..Default::default()
    }
}

/// A role as listings show it.
pub(super) fn listed_role(listed: Role) -> iam::Role {
    let max_session_duration = i32::try_from(listed.max_session_seconds).ok();
    iam::Role { max_session_duration, ..role(listed) }
}

/// A role with boundary and tags, as CreateRole shows it.
pub(super) fn created_role(created: Role) -> iam::Role {
    let permissions_boundary = boundary(created.entity.boundary.as_deref());
    let tags = tags(created.tags.clone());
    iam::Role { permissions_boundary, tags, ..role(created) }
}

/// A role with everything.
pub(super) fn whole_role(whole: Role) -> iam::Role {
    let max_session_duration = i32::try_from(whole.max_session_seconds).ok();
    let role_last_used = Some(match whole.last_used.clone() {
        Some((at, region)) => iam::RoleLastUsed { last_used_date: time(at), region: Some(region) },
        None => iam::RoleLastUsed::default(),
    });
    iam::Role { max_session_duration, role_last_used, ..created_role(whole) }
}

/// A boundary, if there is one.
pub(super) fn boundary(arn: Option<&str>) -> Option<iam::AttachedPermissionsBoundary> {
    arn.map(|arn| iam::AttachedPermissionsBoundary {
        permissions_boundary_type: Some("PermissionsBoundaryPolicy".to_owned()),
        permissions_boundary_arn: Some(arn.to_owned()),
    })
}

/// A policy as listings show it.
pub(super) fn policy(policy: ManagedPolicy) -> iam::Policy {
    iam::Policy {
        policy_name: Some(policy.name),
        policy_id: Some(policy.id),
        arn: Some(policy.arn),
        path: Some(policy.path),
        default_version_id: Some(policy.default_version),
        attachment_count: i32::try_from(policy.attachment_count).ok(),
        permissions_boundary_usage_count: i32::try_from(policy.boundary_count).ok(),
        is_attachable: Some(true),
        create_date: time(policy.created_at),
        update_date: time(policy.updated_at),
        ..Default::default()
    }
}

/// A version; its document is shown by GetPolicyVersion only.
pub(super) fn version(version: PolicyVersion, with_document: bool) -> iam::PolicyVersion {
    iam::PolicyVersion {
        document: if with_document { document(&version.document) } else { None },
        version_id: Some(version.id),
        is_default_version: Some(version.is_default),
        create_date: time(version.created_at),
    }
}

/// An instance profile with its role; tags when it was read alone.
pub(super) fn profile(profile: InstanceProfile) -> iam::InstanceProfile {
    iam::InstanceProfile {
        arn: Some(profile.entity.arn()),
        path: Some(profile.entity.path),
        instance_profile_name: Some(profile.entity.name),
        instance_profile_id: Some(profile.entity.id),
        create_date: time(profile.entity.created_at),
        roles: Some(profile.role.into_iter().map(role).collect()),
        tags: tags(profile.tags),
    }
}
