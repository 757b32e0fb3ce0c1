-- Accounts and their identities: written by the identity room. Times are microseconds since 1970 (UTC).
-- Users, groups, roles, instance profiles and customer policies share what IAM gives all of them (unique id,
-- name, path, tags), so they share one table; what only one kind has lies in a table of its own.

-- `generation` counts the changes of everything below that decides access; a cache of compiled policies is
-- exact while the number stands still.
CREATE TABLE account (
    account TEXT COLLATE "C" PRIMARY KEY,
    created_at BIGINT NOT NULL,
    generation BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE account_alias (
    account TEXT COLLATE "C" PRIMARY KEY REFERENCES account (account),
    alias TEXT COLLATE "C" NOT NULL UNIQUE
);

-- `id` is the unique id that clients see (AIDA, AGPA, AROA, AIPA, ANPA). Names are unique without regard to
-- case per account and kind (folded_name); the path is not part of that.
CREATE TABLE iam_entity (
    id TEXT COLLATE "C" PRIMARY KEY,
    account TEXT COLLATE "C" NOT NULL REFERENCES account (account),
    kind TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    folded_name TEXT COLLATE "C" NOT NULL,
    path TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    boundary_arn TEXT COLLATE "C"
);

CREATE UNIQUE INDEX iam_entity_by_name ON iam_entity (account, kind, folded_name);

CREATE INDEX iam_entity_by_boundary ON iam_entity (boundary_arn) WHERE boundary_arn IS NOT NULL;

-- `trust_bindings` is a JSON object from the user and role ARNs in the trust policy to the unique ids that they
-- meant when it was saved.
CREATE TABLE iam_role (
    role_id TEXT COLLATE "C" PRIMARY KEY REFERENCES iam_entity (id) ON DELETE CASCADE,
    trust_policy TEXT NOT NULL,
    trust_bindings TEXT NOT NULL,
    description TEXT,
    max_session_seconds BIGINT NOT NULL,
    last_used_at BIGINT,
    last_used_region TEXT
);

-- `last_version` is the newest version number ever given out: numbers are not used twice.
CREATE TABLE iam_policy (
    policy_id TEXT COLLATE "C" PRIMARY KEY REFERENCES iam_entity (id) ON DELETE CASCADE,
    arn TEXT COLLATE "C" NOT NULL UNIQUE,
    description TEXT,
    default_version BIGINT NOT NULL,
    last_version BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE iam_policy_version (
    policy_id TEXT COLLATE "C" NOT NULL REFERENCES iam_policy (policy_id) ON DELETE CASCADE,
    version BIGINT NOT NULL,
    document TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (policy_id, version)
);

-- A customer policy or one of AWS's on a user, group or role. By ARN, because AWS's policies have no rows.
CREATE TABLE iam_attachment (
    entity_id TEXT COLLATE "C" NOT NULL REFERENCES iam_entity (id) ON DELETE CASCADE,
    policy_arn TEXT COLLATE "C" NOT NULL,
    policy_name TEXT NOT NULL,
    folded_policy_name TEXT COLLATE "C" NOT NULL,
    policy_path TEXT COLLATE "C" NOT NULL,
    attached_at BIGINT NOT NULL,
    PRIMARY KEY (entity_id, policy_arn)
);

CREATE INDEX iam_attachment_by_policy ON iam_attachment (policy_arn);

CREATE TABLE iam_inline_policy (
    entity_id TEXT COLLATE "C" NOT NULL REFERENCES iam_entity (id) ON DELETE CASCADE,
    name TEXT COLLATE "C" NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (entity_id, name)
);

CREATE TABLE iam_membership (
    group_id TEXT COLLATE "C" NOT NULL REFERENCES iam_entity (id) ON DELETE CASCADE,
    user_id TEXT COLLATE "C" NOT NULL REFERENCES iam_entity (id) ON DELETE CASCADE,
    PRIMARY KEY (group_id, user_id)
);

CREATE INDEX iam_membership_by_user ON iam_membership (user_id);

-- At most one role per profile (quota InstanceSessionsPerInstanceProfile).
CREATE TABLE iam_instance_profile_role (
    profile_id TEXT COLLATE "C" PRIMARY KEY REFERENCES iam_entity (id) ON DELETE CASCADE,
    role_id TEXT COLLATE "C" NOT NULL REFERENCES iam_entity (id)
);

CREATE INDEX iam_instance_profile_by_role ON iam_instance_profile_role (role_id);

-- Tag keys are unique without regard to case and keep the case in which they were written.
CREATE TABLE iam_tag (
    entity_id TEXT COLLATE "C" NOT NULL REFERENCES iam_entity (id) ON DELETE CASCADE,
    folded_key TEXT COLLATE "C" NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (entity_id, folded_key)
);

-- Long-term keys. The owner is a user, by unique id, or the account itself: then it is a key of the root.
-- `secret` is sealed; the id of the key is authenticated with it, so that a secret cannot be moved to another
-- row.
CREATE TABLE iam_access_key (
    id TEXT COLLATE "C" PRIMARY KEY,
    account TEXT COLLATE "C" NOT NULL REFERENCES account (account),
    owner_id TEXT COLLATE "C" NOT NULL,
    secret BYTEA NOT NULL,
    is_active BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    last_used_at BIGINT,
    last_used_service TEXT,
    last_used_region TEXT
);

CREATE INDEX iam_access_key_by_owner ON iam_access_key (owner_id);
