-- Uploads live for seconds and are few; each index of theirs cost a small push two pages of the log. Who looks for
-- expired ones, and a repository that goes, walk through the table.
DROP INDEX upload_by_repository;

DROP INDEX upload_by_expiry;
