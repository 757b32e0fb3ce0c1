//! The AWS managed policies that Longshore ships (iam.md §7), read-only and known by AWS's own ARNs.
//!
//! The documents are data files in `managed/`, one per policy; the table here holds what IAM tells about them.
//! Dates without a known time of day stand at midnight; creation dates of policies with several versions are
//! (unverified). AWS's fixed policy ids are not in our sources, so ids are derived from the ARN: the same on
//! every installation and after every restart.
//!
//! Example: `find("arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly")` has version `v3` and one
//! statement with twelve actions.

use std::sync::LazyLock;

use crate::document::{Document, DocumentKind};

/// One AWS managed policy with its only version.
#[derive(Clone, Debug)]
pub struct ManagedPolicy {
    /// `arn:aws:iam::aws:policy<path><name>`
    pub arn: String,
    /// Its name.
    pub name: &'static str,
    /// Its path, `/` or `/…/`.
    pub path: &'static str,
    /// `ANPA` and 17 characters of `A-Z2-7`, derived from the ARN.
    pub id: String,
    /// Id of the default version, the only one there is.
    pub version_id: &'static str,
    /// What it is for; says so where only a part of AWS's document is shipped.
    pub description: &'static str,
    /// RFC 3339, UTC, whole seconds.
    pub create_date: &'static str,
    /// RFC 3339, UTC, whole seconds.
    pub update_date: &'static str,
    /// The document as GetPolicyVersion returns it.
    pub document_text: &'static str,
    document: Document,
}

impl ManagedPolicy {
    /// The document, compiled.
    pub fn document(&self) -> &Document {
        &self.document
    }
}

/// All of them, in the order of the table.
pub fn all() -> &'static [ManagedPolicy] {
    &POLICIES
}

/// The policy with this ARN, compared exactly; `None` when it is not shipped.
pub fn find(arn: &str) -> Option<&'static ManagedPolicy> {
    POLICIES.iter().find(|policy| policy.arn == arn)
}

static POLICIES: LazyLock<Vec<ManagedPolicy>> = LazyLock::new(|| ROWS.iter().map(Row::policy).collect());

struct Row {
    name: &'static str,
    path: &'static str,
    version: &'static str,
    created: &'static str,
    updated: &'static str,
    description: &'static str,
    document: &'static str,
}

impl Row {
    fn policy(&self) -> ManagedPolicy {
        let arn = format!("arn:aws:iam::aws:policy{}{}", self.path, self.name);
        ManagedPolicy {
            id: derived_id(&arn),
            arn,
            name: self.name,
            path: self.path,
            version_id: self.version,
            description: self.description,
            create_date: self.created,
            update_date: self.updated,
            document_text: self.document,
            document: Document::load(self.document, DocumentKind::Managed),
        }
    }
}

/// `ANPA` and the lowest 85 bits of the 128-bit FNV-1a hash of the ARN in base 32.
fn derived_id(arn: &str) -> String {
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let mut hash = arn.bytes().fold(BASIS, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME));
    let mut id = String::from("ANPA");
    for _ in 0..17 {
        let digit = (hash & 31) as u8;
        id.push(char::from(if digit < 26 { b'A' + digit } else { b'2' + digit - 26 }));
        hash >>= 5;
    }
    id
}

macro_rules! rows {
    ($($name:literal $path:literal $version:literal $created:literal $updated:literal $description:literal;)*) => {
        &[$(Row {
            name: $name,
            path: $path,
            version: $version,
            created: $created,
            updated: $updated,
            description: $description,
            document: include_str!(concat!("../managed/", $name, ".json")),
        }),*]
    };
}

#[rustfmt::skip]
static ROWS: &[Row] = rows! {
    "AmazonEC2ContainerRegistryReadOnly" "/" "v3" "2015-12-21T00:00:00Z" "2019-12-10T00:00:00Z"
        "Pull and look at images in ECR repositories.";
    "AmazonEC2ContainerRegistryPowerUser" "/" "v3" "2015-12-21T00:00:00Z" "2019-12-10T00:00:00Z"
        "Pull and push images in ECR repositories; no deletion, no change of settings.";
    "AmazonEC2ContainerRegistryFullAccess" "/" "v3" "2015-12-21T00:00:00Z" "2020-12-05T00:00:00Z"
        "Administer ECR.";
    "AmazonEC2ContainerRegistryPullOnly" "/" "v1" "2024-10-04T00:00:00Z" "2024-10-04T00:00:00Z"
        "Pull images from ECR repositories.";
    "AmazonElasticContainerRegistryPublicReadOnly" "/" "v1" "2020-12-01T00:00:00Z" "2020-12-01T00:00:00Z"
        "Look at ECR Public repositories.";
    "AmazonElasticContainerRegistryPublicPowerUser" "/" "v1" "2020-12-01T00:00:00Z" "2020-12-01T00:00:00Z"
        "Push to ECR Public repositories; no deletion, no change of settings.";
    "AmazonElasticContainerRegistryPublicFullAccess" "/" "v1" "2020-12-01T00:00:00Z" "2020-12-01T00:00:00Z"
        "Administer ECR Public.";
    "EC2InstanceProfileForImageBuilderECRContainerBuilds" "/" "v1" "2020-12-11T19:48:15Z" "2020-12-11T19:48:15Z"
        "Instances on which EC2 Image Builder builds container images.";
    "AWSAppRunnerServicePolicyForECRAccess" "/service-role/" "v1" "2021-05-14T00:00:00Z" "2021-05-14T00:00:00Z"
        "App Runner pulls images from ECR.";
    "AmazonECSTaskExecutionRolePolicy" "/service-role/" "v1" "2017-11-16T00:00:00Z" "2017-11-16T00:00:00Z"
        "ECS tasks pull images from ECR and write logs.";
    "AmazonEC2ContainerServiceforEC2Role" "/service-role/" "v10" "2015-03-19T00:00:00Z" "2026-02-12T17:59:52Z"
        "Container instances of ECS.";
    "AmazonEKSFargatePodExecutionRolePolicy" "/" "v1" "2019-11-22T00:00:00Z" "2019-11-22T00:00:00Z"
        "Pods of EKS on Fargate pull images from ECR.";
    "AmazonEKSWorkerNodePolicy" "/" "v3" "2018-05-27T00:00:00Z" "2023-11-27T00:00:00Z"
        "Worker nodes of EKS join their cluster.";
    "AmazonEKSWorkerNodeMinimalPolicy" "/" "v1" "2024-10-02T00:00:00Z" "2024-10-02T00:00:00Z"
        "Worker nodes of EKS, the least they need.";
    "ECRReplicationServiceRolePolicy" "/aws-service-role/" "v1" "2020-12-04T00:00:00Z" "2020-12-04T00:00:00Z"
        "Service role of ECR replication.";
    "ECRTemplateServiceRolePolicy" "/aws-service-role/" "v1" "2024-06-19T00:00:00Z" "2024-06-19T00:00:00Z"
        "Service role of ECR repository creation templates.";
    "AWSECRPullThroughCache_ServiceRolePolicy" "/aws-service-role/" "v4" "2021-11-26T00:00:00Z" "2026-05-12T00:00:00Z"
        "Service role of the ECR pull-through cache.";
    "AdministratorAccess" "/" "v1" "2015-02-06T00:00:00Z" "2015-02-06T00:00:00Z"
        "Everything.";
    "PowerUserAccess" "/" "v12" "2015-02-06T00:00:00Z" "2026-02-12T00:00:00Z"
        "Everything but the management of users, organisations and the account.";
    "IAMFullAccess" "/" "v2" "2015-02-06T00:00:00Z" "2019-06-21T00:00:00Z"
        "Administer IAM.";
    "IAMReadOnlyAccess" "/" "v4" "2015-02-06T00:00:00Z" "2018-01-25T00:00:00Z"
        "Look at IAM.";
    "IAMUserChangePassword" "/" "v5" "2016-11-15T00:00:00Z" "2026-02-12T00:00:00Z"
        "Users change their own password.";
    "IAMSelfManageServiceSpecificCredentials" "/" "v1" "2016-12-22T17:25:18Z" "2016-12-22T17:25:18Z"
        "Users manage their own service-specific credentials.";
    "IAMAccessAdvisorReadOnly" "/" "v1" "2019-06-21T19:33:45Z" "2019-06-21T19:33:45Z"
        "Look at when services were last accessed.";
    "IAMUserSSHKeys" "/" "v1" "2015-07-09T17:08:54Z" "2015-07-09T17:08:54Z"
        "Users manage their own SSH keys.";
    "ReadOnlyAccess" "/" "v182" "2015-02-06T00:00:00Z" "2026-04-03T00:00:00Z"
        "Look at everything; shipped here with the ECR, IAM and STS part of the AWS document only.";
    "SecurityAudit" "/" "v86" "2015-02-06T00:00:00Z" "2026-05-01T00:00:00Z"
        "Look at security settings; shipped here with the ECR, IAM and STS part of the AWS document only.";
    "ViewOnlyAccess" "/job-function/" "v45" "2016-11-10T00:00:00Z" "2026-04-22T00:00:00Z"
        "List what there is; shipped here with the ECR and IAM part of the AWS document only.";
};

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{all, find};
    use crate::{Document, DocumentKind};

    #[test]
    fn every_document_passes_the_checks_for_submitted_policies() {
        for policy in all() {
            let parsed = Document::parse(policy.document_text, DocumentKind::Managed);
            assert!(parsed.is_ok(), "{}: {}", policy.name, parsed.unwrap_err());
            assert!(policy.document().unreadable().is_none(), "{}", policy.name);
        }
    }

    #[test]
    fn ids_are_unique_and_look_like_ids() {
        let ids: HashSet<&str> = all().iter().map(|policy| policy.id.as_str()).collect();
        assert_eq!(ids.len(), all().len());
        for id in ids {
            assert!(id.len() == 21 && id.starts_with("ANPA"), "{id}");
            assert!(id.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'2'..=b'7')), "{id}");
        }
    }

    #[test]
    fn finds_by_exact_arn() {
        let arn = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy";
        assert_eq!(find(arn).unwrap().name, "AmazonECSTaskExecutionRolePolicy");
        assert!(find("arn:aws:iam::aws:policy/AmazonECSTaskExecutionRolePolicy").is_none());
        assert!(find("arn:aws:iam::aws:policy/NoSuchPolicy").is_none());
    }
}
