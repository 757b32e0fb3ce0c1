//! Names of the models to names of Rust.

/// `repositoryName`, `OpenIDConnectProviderArn` → `repository_name`, `open_id_connect_provider_arn`.
pub fn snake(name: &str) -> String {
    let characters: Vec<char> = name.chars().collect();
    let mut words = String::new();
    for (index, &character) in characters.iter().enumerate() {
        let previous = index.checked_sub(1).and_then(|before| characters.get(before));
        let next = characters.get(index + 1);
        if !character.is_ascii_alphanumeric() {
            words.push('_');
            continue;
        }
        let begins = character.is_ascii_uppercase()
            && previous.is_some_and(|before| {
                before.is_ascii_lowercase()
                    || before.is_ascii_digit()
                    || (before.is_ascii_uppercase() && next.is_some_and(char::is_ascii_lowercase))
            });
        if begins {
            words.push('_');
        }
        words.push(character.to_ascii_lowercase());
    }
    // Plurals of acronyms and names with odd capitals that the rule above splits in the wrong place.
    let joined = words.replace("open_idc", "open_id_c").replace("_i_ds", "_ids");
    if joined.starts_with(|first: char| first.is_ascii_digit()) { format!("_{joined}") } else { joined }
}

/// Field name; keywords become raw identifiers.
pub fn field(name: &str) -> String {
    let name = snake(name);
    match name.as_str() {
        "type" | "match" | "ref" | "where" | "use" | "move" | "final" | "in" => format!("r#{name}"),
        _ => name,
    }
}

/// `IMMUTABLE_WITH_EXCLUSION`, `AWSManagedPolicy` → upper snake case.
pub fn constant(name: &str) -> String {
    snake(name).trim_matches('_').to_ascii_uppercase()
}

/// Type or variant name: the model's with an upper-case first letter.
pub fn camel(name: &str) -> String {
    let mut characters = name.chars();
    characters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(characters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_whole_words() {
        for (name, expected) in [
            ("repositoryName", "repository_name"),
            ("OpenIDConnectProviderArn", "open_id_connect_provider_arn"),
            ("SAMLMetadataDocument", "saml_metadata_document"),
            ("SSHPublicKeyId", "ssh_public_key_id"),
            ("ClientIDList", "client_id_list"),
            ("MFADevices", "mfa_devices"),
            ("aws:kms", "aws_kms"),
            ("Authentication1", "authentication1"),
        ] {
            assert_eq!(snake(name), expected);
        }
        assert_eq!(field("type"), "r#type");
        assert_eq!(constant("AWSManagedPolicy"), "AWS_MANAGED_POLICY");
        assert_eq!(constant("IMMUTABLE_WITH_EXCLUSION"), "IMMUTABLE_WITH_EXCLUSION");
        assert_eq!(camel("accessKey"), "AccessKey");
    }
}
