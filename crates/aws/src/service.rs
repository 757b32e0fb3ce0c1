//! The three services and the form of their generated tables.
//!
//! Example: `Service::of_version("2010-05-08") == Some(Service::Iam)` picks the face of a Query request.

use crate::{generated, shape::Shape};

/// A service whose wire this crate speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// Elastic Container Registry, JSON 1.1.
    Ecr,
    /// Identity and Access Management, Query and XML.
    Iam,
    /// Security Token Service, Query and XML.
    Sts,
}

impl Service {
    /// All services.
    pub const ALL: [Service; 3] = [Service::Ecr, Service::Iam, Service::Sts];

    /// Service name of the credential scope: `ecr`, `iam`, `sts`.
    #[must_use]
    pub const fn signing_name(self) -> &'static str {
        match self {
            Service::Ecr => "ecr",
            Service::Iam => "iam",
            Service::Sts => "sts",
        }
    }

    /// API version, `YYYY-MM-DD`; the `Version` parameter of Query requests.
    #[must_use]
    pub const fn version(self) -> &'static str {
        match self {
            Service::Ecr => generated::ecr::VERSION,
            Service::Iam => generated::iam::VERSION,
            Service::Sts => generated::sts::VERSION,
        }
    }

    /// Query service of a `Version` parameter.
    #[must_use]
    pub fn of_version(version: &str) -> Option<Service> {
        [Service::Iam, Service::Sts].into_iter().find(|service| service.version() == version)
    }

    /// XML namespace of answers; `None` for ECR.
    #[must_use]
    pub const fn xml_namespace(self) -> Option<&'static str> {
        match self {
            Service::Ecr => None,
            Service::Iam => Some(generated::iam::XML_NAMESPACE),
            Service::Sts => Some(generated::sts::XML_NAMESPACE),
        }
    }

    /// All operations of the model, sorted by name.
    #[must_use]
    pub const fn operations(self) -> &'static [OperationInfo] {
        match self {
            Service::Ecr => generated::ecr::OPERATIONS,
            Service::Iam => generated::iam::OPERATIONS,
            Service::Sts => generated::sts::OPERATIONS,
        }
    }

    /// All errors of the model, sorted by shape name.
    #[must_use]
    pub const fn errors(self) -> &'static [ErrorInfo] {
        match self {
            Service::Ecr => generated::ecr::ERRORS,
            Service::Iam => generated::iam::ERRORS,
            Service::Sts => generated::sts::ERRORS,
        }
    }

    /// Operation by its exact name.
    #[must_use]
    pub fn operation(self, name: &str) -> Option<&'static OperationInfo> {
        let operations = self.operations();
        let index = operations.binary_search_by(|operation| operation.name.cmp(name)).ok()?;
        operations.get(index)
    }

    /// Error by its shape name, such as `RepositoryNotFoundException` or `NoSuchEntityException`.
    #[must_use]
    pub fn error(self, shape: &str) -> Option<&'static ErrorInfo> {
        let errors = self.errors();
        let index = errors.binary_search_by(|error| error.shape.cmp(shape)).ok()?;
        errors.get(index)
    }
}

/// One operation of a service model.
#[derive(Debug)]
pub struct OperationInfo {
    /// Name, such as `CreateRepository`.
    pub name: &'static str,
    /// Request shape; `None` when the model has none (no parameters).
    pub input: Option<&'static Shape>,
    /// Response shape; `None` when the answer carries only metadata (79 IAM operations).
    pub output: Option<&'static Shape>,
    /// Shape names of the modelled errors.
    pub errors: &'static [&'static str],
    /// The operation is called without a signature (AssumeRoleWithWebIdentity, AssumeRoleWithSAML).
    pub unsigned: bool,
    /// How SDKs page through it.
    pub pagination: Option<Pagination>,
}

/// Wire names of the members that page through a listing.
#[derive(Debug)]
pub struct Pagination {
    /// Request member that takes the cursor.
    pub input_token: &'static str,
    /// Response member that carries the next cursor.
    pub output_token: &'static str,
    /// Request member that limits the page, in items.
    pub limit: Option<&'static str>,
    /// Response member that says whether more follows (IAM's `IsTruncated`).
    pub more_results: Option<&'static str>,
    /// Response lists, as member paths such as `imageScanFindings.findings`.
    pub results: &'static [&'static str],
}

/// One error of a service model.
#[derive(Debug)]
pub struct ErrorInfo {
    /// Shape name, such as `NoSuchEntityException`.
    pub shape: &'static str,
    /// Code on the wire, such as `NoSuchEntity` (Query) or the shape name (JSON).
    pub code: &'static str,
    /// HTTP status.
    pub status: u16,
    /// The caller's fault (`Sender`) as opposed to the server's (`Receiver`).
    pub sender_fault: bool,
    /// Wire names of members beside the message.
    pub members: &'static [&'static str],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_of_an_operation_is_found() {
        for service in Service::ALL {
            for operation in service.operations() {
                for shape in operation.errors {
                    assert_eq!(service.error(shape).map(|error| error.shape), Some(*shape));
                }
            }
        }
        let counts = Service::ALL.map(|service| (service.operations().len(), service.errors().len()));
        assert_eq!(counts, [(62, 50), (180, 38), (11, 12)]);
    }

    /// Codes and statuses of iam.md §2.3 and ecr.md §1.2.
    #[test]
    fn errors_have_their_wire_codes() {
        let wire = |service: Service, shape: &str| {
            let error = service.error(shape).unwrap();
            (error.code, error.status, error.sender_fault)
        };
        assert_eq!(wire(Service::Iam, "NoSuchEntityException"), ("NoSuchEntity", 404, true));
        assert_eq!(wire(Service::Iam, "ServiceFailureException"), ("ServiceFailure", 500, false));
        assert_eq!(wire(Service::Iam, "ServiceNotSupportedException"), ("NotSupportedService", 404, true));
        assert_eq!(wire(Service::Sts, "IDPRejectedClaimException"), ("IDPRejectedClaim", 403, true));
        assert_eq!(
            wire(Service::Ecr, "RepositoryNotFoundException"),
            ("RepositoryNotFoundException", 400, true)
        );
        assert_eq!(wire(Service::Ecr, "ServerException"), ("ServerException", 500, false));
        let part = Service::Ecr.error("InvalidLayerPartException").unwrap();
        assert_eq!(part.members, ["registryId", "repositoryName", "uploadId", "lastValidByteReceived"]);
        assert!(Service::Iam.error("NoSuchEntity").is_none());
    }

    #[test]
    fn query_services_are_told_by_version() {
        assert_eq!(Service::of_version("2010-05-08"), Some(Service::Iam));
        assert_eq!(Service::of_version("2011-06-15"), Some(Service::Sts));
        // ECR does not speak Query, whatever version a form names.
        assert_eq!(Service::of_version("2015-09-21"), None);
    }

    #[test]
    fn paging_and_signatures_are_known() {
        let images = Service::Ecr.operation("DescribeImages").unwrap().pagination.as_ref().unwrap();
        assert_eq!(
            (images.input_token, images.limit, images.results),
            ("nextToken", Some("maxResults"), &["imageDetails"][..])
        );
        assert!(Service::Sts.operation("AssumeRoleWithWebIdentity").unwrap().unsigned);
        assert!(!Service::Sts.operation("GetCallerIdentity").unwrap().unsigned);
    }
}
