//! The condition keys of one request (iam.md §3.8), each put together when a policy asks for it.
//!
//! Tags of the repository and `aws:ResourceAccount` come first, then what the door has set, then the caller and the
//! connection: nobody names the tags of what he asks for.

use std::borrow::Cow;

use policy::{Keys, Values, fold};

use super::allowed::Check;
use super::caller::Caller;
use crate::catalog::AccessFacts;
use crate::environment::{Environment, SECOND};

/// What one check is decided with.
#[derive(Debug)]
pub(super) struct RequestKeys<'a> {
    pub(super) caller: &'a Caller,
    pub(super) check: &'a Check,
    pub(super) facts: Option<&'a AccessFacts>,
    pub(super) environment: &'a Environment,
}

impl Keys for RequestKeys<'_> {
    fn values(&self, folded: &str) -> Option<Values<'_>> {
        if let Some(value) = self.of_resource(folded) {
            return Some(Values::One(Cow::Borrowed(value)));
        }
        self.check.context.values(folded).or_else(|| self.of_caller(folded).map(Values::One))
    }
}

impl RequestKeys<'_> {
    fn of_resource(&self, folded: &str) -> Option<&str> {
        if folded == "aws:resourceaccount" {
            return Some(self.check.resource.account().as_str());
        }
        // Both names exist for every repository action (service authorization reference of ECR).
        let tag =
            folded.strip_prefix("aws:resourcetag/").or_else(|| folded.strip_prefix("ecr:resourcetag/"))?;
        // Keys that differ in case alone are one key, whose last value counts.
        let tags = self.facts?.tags.iter().rev();
        tags.map(|(key, value)| (key, value.as_str()))
            .find(|(key, _)| fold(key) == tag)
            .map(|(_, value)| value)
    }

    fn of_caller(&self, folded: &str) -> Option<Cow<'_, str>> {
        let origin = &self.caller.origin;
        let session = self.caller.credential.session.as_ref();
        match folded {
            "aws:currenttime" => Some(timestamp(self.environment.now())),
            "aws:epochtime" => Some(self.environment.now().div_euclid(SECOND).to_string().into()),
            "aws:sourceip" => Some(origin.address.to_string().into()),
            "aws:securetransport" => Some(if origin.is_secure { "true" } else { "false" }.into()),
            "aws:requestedregion" => Some(self.caller.region.as_str().into()),
            "aws:viaawsservice" | "aws:principalisawsservice" => Some("false".into()),
            "aws:useragent" => origin.user_agent.as_deref().map(Cow::Borrowed),
            "aws:referer" => origin.referer.as_deref().map(Cow::Borrowed),
            "aws:tokenissuetime" => session.map(|session| timestamp(session.issued_at)),
            // Absent for long-term keys on purpose: the BoolIfExists idiom depends on it.
            "aws:multifactorauthpresent" => session.map(|_| "false".into()),
            "aws:sourceidentity" => session?.source_identity.as_deref().map(Cow::Borrowed),
            other => self.caller.principal.value(other),
        }
    }
}

fn timestamp(at: i64) -> Cow<'static, str> {
    aws::Timestamp::from_microseconds(at).to_string().into()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use policy::Context;

    use super::*;
    use crate::access::testing::{registry, repository, root};
    use crate::access::{Session, action};
    use crate::environment::{ManualClock, Random};

    #[derive(Debug)]
    struct NoRandom;

    impl Random for NoRandom {
        fn fill(&self, _buffer: &mut [u8]) -> Result<(), crate::environment::NoRandomness> {
            Err(crate::environment::NoRandomness)
        }
    }

    fn one(keys: &RequestKeys<'_>, key: &str) -> Option<String> {
        match keys.values(key)? {
            Values::One(value) => Some(value.into_owned()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_key_has_its_value_and_the_resource_comes_first() {
        let mut caller = (*root(&registry().account)).clone();
        let mut context = Context::new();
        for key in ["aws:ResourceTag/team", "aws:ResourceAccount", "aws:SourceIp", "aws:RequestTag/team"] {
            context.set(key, "door");
        }
        let check = Check::new::<action::PutImage>(repository("app")).with_context(context);
        let tags = [("Team", "first"), ("TEAM", "last")];
        let tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
        let facts = AccessFacts { policy: None, tags };
        let clock = Arc::new(ManualClock::at(1_764_072_000 * SECOND));
        let environment = Environment::new(clock, Arc::new(NoRandom));
        let long_term = |caller: &Caller| {
            let keys = RequestKeys { caller, check: &check, facts: Some(&facts), environment: &environment };
            [
                ("aws:resourcetag/team", Some("last")),
                ("ecr:resourcetag/team", Some("last")),
                ("ecr:resourcetag/other", None),
                ("aws:resourceaccount", Some("123456789012")),
                ("aws:sourceip", Some("door")),
                ("aws:requesttag/team", Some("door")),
                ("aws:currenttime", Some("2025-11-25T12:00:00Z")),
                ("aws:epochtime", Some("1764072000")),
                ("aws:securetransport", Some("false")),
                ("aws:requestedregion", Some("eu-central-1")),
                ("aws:viaawsservice", Some("false")),
                ("aws:principalisawsservice", Some("false")),
                ("aws:useragent", None),
                ("aws:principalarn", Some("arn:aws:iam::123456789012:root")),
                ("aws:username", None),
                ("aws:nothing", None),
            ]
            .iter()
            .for_each(|(key, value)| assert_eq!(one(&keys, key).as_deref(), *value, "{key}"));
        };
        long_term(&caller);
        let without = RequestKeys { caller: &caller, check: &check, facts: None, environment: &environment };
        assert_eq!(one(&without, "aws:resourcetag/team").as_deref(), Some("door"));
        for key in ["aws:tokenissuetime", "aws:multifactorauthpresent", "aws:sourceidentity"] {
            assert_eq!(one(&without, key), None, "{key}");
        }
        caller.origin.user_agent = Some("docker/28".to_owned());
        caller.credential.session = Some(Session {
            issued_at: 1_764_072_000 * SECOND,
            expires_at: 0,
            policies: Vec::new(),
            policy_arns: Vec::new(),
            is_restricted: false,
            source_identity: Some("jane".to_owned()),
            transitive_tag_keys: Vec::new(),
            is_chained: false,
            is_session_token: false,
        });
        let keys = RequestKeys { caller: &caller, check: &check, facts: None, environment: &environment };
        for (key, value) in [
            ("aws:useragent", "docker/28"),
            ("aws:tokenissuetime", "2025-11-25T12:00:00Z"),
            ("aws:multifactorauthpresent", "false"),
            ("aws:sourceidentity", "jane"),
        ] {
            assert_eq!(one(&keys, key).as_deref(), Some(value), "{key}");
        }
    }
}
