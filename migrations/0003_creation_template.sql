-- Repository creation templates: what a repository is like that a push creates. namespace is the prefix without
-- its trailing slash, and empty for ROOT; resource_tags and tag_mutability_filters are JSON lists; the two policies
-- are stored as in the table repository.
CREATE TABLE repository_creation_template (
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    namespace TEXT COLLATE "C" NOT NULL,
    prefix TEXT NOT NULL,
    description TEXT,
    applied_for TEXT NOT NULL,
    tag_mutability TEXT NOT NULL,
    tag_mutability_filters TEXT NOT NULL,
    resource_tags TEXT NOT NULL,
    policy TEXT,
    lifecycle_policy TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (account, region, namespace)
);

-- The newest links of a blob, for mounts that name no source.
CREATE INDEX blob_link_newest ON blob_link (digest, linked_at, repository_id);

DROP INDEX blob_link_by_digest;
