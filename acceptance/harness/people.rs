//! The users of the tests: made by root through `aws iam`, each with a terminal of their own.

use super::Terminal;

/// The account and region of a server that is started without settings.
pub const ACCOUNT: &str = "123456789012";

/// The tutorial's policy: twelve actions on one repository. Its first action never applies to a repository, which
/// is the tutorial's own trap.
pub const TUTORIAL_POLICY: &str = r#"{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": [
        "ecr:GetAuthorizationToken",
        "ecr:BatchCheckLayerAvailability",
        "ecr:GetDownloadUrlForLayer",
        "ecr:GetRepositoryPolicy",
        "ecr:DescribeRepositories",
        "ecr:ListImages",
        "ecr:DescribeImages",
        "ecr:BatchGetImage",
        "ecr:InitiateLayerUpload",
        "ecr:UploadLayerPart",
        "ecr:CompleteLayerUpload",
        "ecr:PutImage"
      ],
      "Resource": "arn:aws:ecr:eu-central-1:123456789012:repository/randserver"
    }
  ]
}
"#;

/// What root does for people.
pub struct People<'a> {
    root: &'a Terminal,
}

impl People<'_> {
    pub fn of(root: &Terminal) -> People<'_> {
        People { root }
    }

    /// A new user without any policy, at a terminal with the user's own key.
    pub fn user(&self, name: &str) -> Terminal {
        self.root.run(&format!("aws iam create-user --user-name {name}"));
        let key = &self.root.json(&format!("aws iam create-access-key --user-name {name}"))["AccessKey"];
        self.root.someone_else(key["AccessKeyId"].as_str().unwrap(), key["SecretAccessKey"].as_str().unwrap())
    }

    /// A new user with one of AWS's own policies.
    pub fn user_with(&self, name: &str, managed_policy: &str) -> Terminal {
        let user = self.user(name);
        let policy = format!("arn:aws:iam::aws:policy/{managed_policy}");
        self.root.run(&format!("aws iam attach-user-policy --policy-arn {policy} --user-name {name}"));
        user
    }

    /// Makes the tutorial's group with its policy and puts the user into it.
    pub fn join_tutorial_group(&self, user: &str) {
        self.root.write("policy.json", TUTORIAL_POLICY);
        let policy = "arn:aws:iam::123456789012:policy/push-to-randserver";
        self.root.run("aws iam create-group --group-name randserver-developers");
        self.root
            .run(&format!("aws iam add-user-to-group --group-name randserver-developers --user-name {user}"));
        self.root.run(
            "aws iam create-policy --policy-name push-to-randserver --policy-document file://policy.json",
        );
        self.root.run(&format!(
            "aws iam attach-group-policy --group-name randserver-developers --policy-arn {policy}"
        ));
    }

    /// Grants what `docker login` needs and nothing else, on the only resource that it applies to.
    pub fn grant_token(&self, user: &str) {
        let document = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:GetAuthorizationToken","Resource":"*"}}"#;
        self.root.run(&format!(
            "aws iam put-user-policy --user-name {user} --policy-name token --policy-document '{document}'"
        ));
    }
}

/// The ARN of a user of the default account.
pub fn user_arn(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:user/{name}")
}

/// The ARN of a repository of the default account and region.
pub fn repository_arn(name: &str) -> String {
    format!("arn:aws:ecr:eu-central-1:{ACCOUNT}:repository/{name}")
}

/// AWS's sentence for a call that no policy of the caller allows (iam.md §4.5).
pub fn denied(principal: &str, action: &str, resource: &str) -> String {
    format!(
        "User: {principal} is not authorized to perform: {action} on resource: {resource} \
         because no identity-based policy allows the {action} action"
    )
}
