//! What the `Resource` texts of identity policies must look like (iam.md §3.4 steps 3 and 6).

use super::error::Fault;

/// Beginnings of the sixth part of an IAM ARN.
const IAM_TYPES: [&str; 13] = [
    "user/",
    "federated-user/",
    "role/",
    "group/",
    "instance-profile/",
    "mfa/",
    "server-certificate/",
    "policy/",
    "sms-mfa/",
    "saml-provider/",
    "oidc-provider/",
    "report/",
    "access-report/",
];

/// True when the older parser of AWS gives up: `arn:aws:s3::bucket`, or an empty service.
pub(super) fn fails_legacy_parsing(resource: &str) -> bool {
    let too_few_colons = resource.contains("::") && resource.matches(':').count() < 5;
    too_few_colons || resource.split(':').nth(2) == Some("")
}

/// Checks one resource text; out: the first fault.
///
/// `complete`: whether all six parts must be there (session policies, iam.md §3.4).
pub(super) fn check(resource: &str, complete: bool) -> Result<(), Fault> {
    if resource == "*" {
        return Ok(());
    }
    let parts: Vec<&str> = resource.splitn(6, ':').collect();
    let [prefix, partition, rest @ ..] = parts.as_slice() else {
        return Err(Fault::ResourceFormat(resource.to_owned()));
    };
    if *partition != "aws" && !wild(partition) {
        return Err(Fault::Partition {
            partition: (*partition).to_owned(),
            resource: completed(partition, rest),
        });
    }
    if *prefix != "arn" && !wild(prefix) {
        return Err(Fault::ResourceFormat(resource.to_owned()));
    }
    let Some(service) = rest.first() else {
        return Err(Fault::ResourceVendor);
    };
    let region = rest.get(1).copied().unwrap_or_default();
    match *service {
        "iam" if !region.is_empty() => return Err(Fault::IamRegion(resource.to_owned())),
        "s3" if !region.is_empty() => return Err(Fault::S3Region(resource.to_owned())),
        _ => {}
    }
    if complete && parts.len() < 6 {
        return Err(Fault::ResourceFormat(resource.to_owned()));
    }
    // A missing path means `*`.
    let path = rest.get(3).copied().unwrap_or("*");
    if *service == "iam" && path != "*" && !IAM_TYPES.iter().any(|kind| path.starts_with(kind)) {
        return Err(Fault::IamPath);
    }
    Ok(())
}

fn wild(part: &str) -> bool {
    part.contains(['*', '?'])
}

/// The ARN as AWS prints it in the partition fault: missing parts as `*`.
fn completed(partition: &str, rest: &[&str]) -> String {
    let part = |index: usize| rest.get(index).copied().unwrap_or("*");
    format!("arn:{partition}:{}:{}:{}:{}", part(0), part(1), part(2), part(3))
}
