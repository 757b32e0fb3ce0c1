//! Operation → handler: which operations are built, and where.

use aws::Service;
use aws::sts::Operation;

use super::{Error, identity, sessions};
use crate::access::Grant;
use crate::api::Services;

macro_rules! operations {
    (built { $($built:ident => $handler:path,)* } not_built { $($absent:ident)* }) => {
        /// The operations that this server performs; all others answer [`Error::NotBuilt`].
        pub const BUILT: &[&str] = &[$(stringify!($built)),*];

        /// The action of an operation, built or not: `sts:AssumeRole`.
        pub(super) fn action(operation: &Operation) -> &'static str {
            match operation {
                $(Operation::$built(_) => concat!("sts:", stringify!($built)),)*
                $(Operation::$absent(_) => concat!("sts:", stringify!($absent)),)*
            }
        }

        /// The pattern of all operations that are not built.
        macro_rules! absent {
            () => { $(Operation::$absent(_))|* };
        }
        pub(super) use absent;

        /// Performs an operation whose checks were allowed; gives the XML of the answer.
        pub(super) async fn dispatch(
            services: &Services,
            grant: &Grant,
            operation: Operation,
        ) -> Result<Vec<u8>, Error> {
            let request_id = &grant.caller().request_id;
            match operation {
                $(Operation::$built(input) => {
                    let result = $handler(services, grant, *input).await?;
                    Ok(aws::xml::response(Service::Sts, stringify!($built), Some(&result), request_id))
                })*
                $(Operation::$absent(_) => Err(Error::NotBuilt { operation: stringify!($absent) }),)*
            }
        }
    };
}

operations! {
    built {
        AssumeRole => sessions::assume_role,
        DecodeAuthorizationMessage => identity::decode_authorization_message,
        GetAccessKeyInfo => identity::get_access_key_info,
        GetCallerIdentity => identity::get_caller_identity,
        GetSessionToken => sessions::get_session_token,
    }
    not_built {
        AssumeRoleWithSAML AssumeRoleWithWebIdentity AssumeRoot GetDelegatedAccessToken GetFederationToken
        GetWebIdentityToken
    }
}
