//! The shipped AWS managed policies, as one snapshot to review.

use policy::managed;

#[test]
fn shipped_policies() {
    let mut shown = String::new();
    for policy in managed::all() {
        shown += &format!(
            "{}\n  {} {} created {} updated {}\n  {}\n",
            policy.arn,
            policy.id,
            policy.version_id,
            policy.create_date,
            policy.update_date,
            policy.description
        );
        let document: serde_json::Value = serde_json::from_str(policy.document_text).unwrap();
        assert_eq!(document["Version"], "2012-10-17", "{}", policy.name);
        for statement in document["Statement"].as_array().unwrap() {
            shown += &format!("  {statement}\n");
        }
    }
    insta::assert_snapshot!(shown);
}
