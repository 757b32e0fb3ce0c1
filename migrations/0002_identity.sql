-- Users, groups, roles, policies, keys: written by the identity room.

CREATE TABLE account (
    account TEXT COLLATE "C" PRIMARY KEY,
    created_at BIGINT NOT NULL
);
