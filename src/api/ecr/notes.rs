//! Where a built operation differs from Amazon's, for the compatibility page.
//!
//! An operation without a line here answers as the reference says. Refusals are listed, too: what a client may
//! send to ECR and not to this server.

/// Operation and what is different, sorted by operation.
pub const NOTES: &[(&str, &str)] = &[
    (
        "BatchDeleteImage",
        "Referrers of a deleted image go after blob-grace-seconds, a day, when neither a tag nor an index holds \
         them; ECR removes them within a day.",
    ),
    (
        "BatchGetImage",
        "Manifests are never converted: acceptedMediaTypes does not change the digest that you get. An answer \
         holds at most 16 MiB of manifests; more is LimitExceededException.",
    ),
    (
        "CreateRepository",
        "KMS encryption and scanOnPush=true are refused; AES256 is accepted and says nothing about the volume \
         that the bytes lie on.",
    ),
    (
        "CreateRepositoryCreationTemplate",
        "appliedFor takes CREATE_ON_PUSH alone; KMS encryption and customRoleArn are refused. A push creates the \
         repository under the pusher's own rights: ecr:CreateRepository on the new ARN, with resourceTags also \
         ecr:TagResource. The template's policy is bound to the users and roles that exist when it is set. At most \
         50 templates per registry.",
    ),
    (
        "DescribeImages",
        "There are no scan findings, and every image is ACTIVE: the archive class is not built.",
    ),
    ("DescribeRegistry", "There are never replication rules: PutReplicationConfiguration is not built."),
    ("DescribeRepositoryCreationTemplates", "A named prefix without a template is left out of the answer."),
    (
        "GetAuthorizationToken",
        "The password is good for 12 hours or until its session ends, and dies with the key, user or role.",
    ),
    (
        "GetDownloadUrlForLayer",
        "A signed URL of this server, good for at most 15 minutes, that works with plain curl.",
    ),
    ("GetLifecyclePolicy", "lastEvaluatedAt stays at the epoch: policies are not evaluated yet."),
    ("PutImageScanningConfiguration", "scanOnPush=true is refused: images are not scanned."),
    (
        "PutLifecyclePolicy",
        "The policy is validated, stored and returned, and removes nothing: policies are not evaluated yet.",
    ),
    (
        "UpdateRepositoryCreationTemplate",
        "Members that are absent keep their setting; an empty text or list takes it away. imageTagMutability and \
         its exclusion filters are set together.",
    ),
];

#[cfg(test)]
mod tests {
    use super::NOTES;
    use crate::api::ecr::BUILT;

    #[test]
    fn notes_are_about_built_operations_in_order() {
        for (operation, _) in NOTES {
            assert!(BUILT.contains(operation), "{operation}");
        }
        assert!(NOTES.is_sorted());
    }
}
