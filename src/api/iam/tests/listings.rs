//! Pages: every listing in pieces, and markers that were not made for it.

use super::allow;
use crate::api::query::testing::{House, houses};

/// All items of a listing, read in pages of two.
async fn paged(house: &House, operation: &str, parameters: &[(&str, &str)], element: &str) -> Vec<String> {
    let mut items = Vec::new();
    let mut marker = None::<String>;
    for _ in 0..100 {
        let mut all = parameters.to_vec();
        all.push(("MaxItems", "2"));
        if let Some(marker) = &marker {
            all.push(("Marker", marker));
        }
        let page = house.done(operation, &all).await;
        let found = page.texts(element);
        assert!(found.len() <= 2);
        items.extend(found);
        if page.text("IsTruncated") == "false" {
            assert!(!page.has("Marker"));
            return items;
        }
        marker = Some(page.text("Marker"));
        assert!(marker.as_ref().unwrap().len() <= 320);
    }
    panic!("{operation} never ends");
}

#[tokio::test]
async fn entities_come_by_name_without_regard_to_case() {
    let (document, trust) = (allow("ecr:*"), super::trust("*"));
    for house in houses().await {
        for name in ["b", "A", "d", "C", "e"] {
            let path = if name == "d" { "/x/y/" } else { "/x%_/" };
            house.done("CreateUser", &[("UserName", name), ("Path", path)]).await;
            house.done("CreateGroup", &[("GroupName", name)]).await;
            house.done("CreateRole", &[("RoleName", name), ("AssumeRolePolicyDocument", &trust)]).await;
            house.done("CreateInstanceProfile", &[("InstanceProfileName", name)]).await;
            house.done("CreatePolicy", &[("PolicyName", name), ("PolicyDocument", &document)]).await;
        }
        let names = ["A", "b", "C", "d", "e"];
        assert_eq!(paged(&house, "ListUsers", &[], "UserName").await, names, "{}", house.engine);
        assert_eq!(paged(&house, "ListGroups", &[], "GroupName").await, names);
        assert_eq!(paged(&house, "ListRoles", &[], "RoleName").await, names);
        assert_eq!(paged(&house, "ListInstanceProfiles", &[], "InstanceProfileName").await, names);
        assert_eq!(paged(&house, "ListPolicies", &[("Scope", "Local")], "PolicyName").await, names);
        let aws = paged(&house, "ListPolicies", &[("Scope", "AWS")], "PolicyName").await;
        assert_eq!(aws.len(), policy::managed::all().len());
        let all = paged(&house, "ListPolicies", &[], "PolicyName").await;
        assert_eq!(all.len(), aws.len() + names.len());
        // A path prefix is plain text: neither `%` nor `_` is a pattern in it.
        let prefix = |prefix: &'static str| [("PathPrefix", prefix)];
        assert_eq!(paged(&house, "ListUsers", &prefix("/x/"), "UserName").await, ["d"]);
        assert_eq!(paged(&house, "ListUsers", &prefix("/x%"), "UserName").await, ["A", "b", "C", "e"]);
        assert_eq!(paged(&house, "ListUsers", &prefix("/%"), "UserName").await, Vec::<String>::new());

        for name in names {
            house.done("AddUserToGroup", &[("GroupName", "A"), ("UserName", name)]).await;
            house.done("AddUserToGroup", &[("GroupName", name), ("UserName", "A")]).await;
            let arn = format!("arn:aws:iam::123456789012:policy/{name}");
            house.done("AttachUserPolicy", &[("UserName", "A"), ("PolicyArn", &arn)]).await;
            let shared = [("UserName", name), ("PolicyArn", "arn:aws:iam::123456789012:policy/b")];
            house.done("AttachUserPolicy", &shared).await;
            let inline = [("UserName", "A"), ("PolicyName", name), ("PolicyDocument", &document)];
            house.done("PutUserPolicy", &inline).await;
            let tag = [("UserName", "A"), ("Tags.member.1.Key", name), ("Tags.member.1.Value", "")];
            house.done("TagUser", &tag).await;
            house.done("AddRoleToInstanceProfile", &[("InstanceProfileName", name), ("RoleName", "A")]).await;
        }
        let shared = [("PolicyArn", "arn:aws:iam::123456789012:policy/b")];
        assert_eq!(paged(&house, "GetGroup", &[("GroupName", "A")], "UserName").await, names);
        assert_eq!(paged(&house, "ListGroupsForUser", &[("UserName", "A")], "GroupName").await, names);
        assert_eq!(
            paged(&house, "ListAttachedUserPolicies", &[("UserName", "A")], "PolicyName").await,
            names
        );
        assert_eq!(
            paged(&house, "ListUserPolicies", &[("UserName", "A")], "member").await,
            ["A", "C", "b", "d", "e"]
        );
        assert_eq!(paged(&house, "ListUserTags", &[("UserName", "A")], "Key").await, names);
        assert_eq!(paged(&house, "ListEntitiesForPolicy", &shared, "UserName").await, names);
        let of_role =
            paged(&house, "ListInstanceProfilesForRole", &[("RoleName", "A")], "InstanceProfileName");
        assert_eq!(of_role.await, names);
        let used = [("Scope", "Local"), ("OnlyAttached", "true")];
        assert_eq!(paged(&house, "ListPolicies", &used, "PolicyName").await, names);
        assert!(
            paged(&house, "ListPolicies", &[("PolicyUsageFilter", "PermissionsBoundary")], "PolicyName")
                .await
                .is_empty()
        );
    }
}

#[tokio::test]
async fn markers_belong_to_one_listing_of_one_account() {
    for house in houses().await {
        for name in ["a", "b", "c"] {
            house.done("CreateUser", &[("UserName", name)]).await;
        }
        let first = house.done("ListUsers", &[("MaxItems", "1")]).await;
        let marker = first.text("Marker");
        let invalid = (400, "ValidationError".to_owned(), "Invalid Marker.".to_owned());
        for (operation, parameters) in [
            ("ListUsers", vec![("Marker", "eA")]),
            ("ListUsers", vec![("Marker", "not base64!")]),
            ("ListUsers", vec![("Marker", &*marker), ("PathPrefix", "/x/")]),
            ("ListGroups", vec![("Marker", &*marker)]),
            ("ListUserTags", vec![("Marker", &*marker), ("UserName", "a")]),
        ] {
            assert_eq!(house.refused(operation, &parameters).await, invalid, "{operation}");
        }
        let foreign = house.iam_as(&house.stranger, "ListUsers", &[("Marker", &marker)]).await;
        assert_eq!(foreign.refusal(), invalid);
        for (items, phrase) in [("0", "greater than or equal to 1"), ("1001", "less than or equal to 1000")] {
            let (status, code, message) = house.refused("ListUsers", &[("MaxItems", items)]).await;
            assert_eq!((status, code.as_str()), (400, "ValidationError"));
            assert_eq!(
                message,
                format!(
                    "1 validation error detected: Value at 'maxItems' failed to satisfy constraint: Member must have value {phrase}"
                )
            );
        }
    }
}
