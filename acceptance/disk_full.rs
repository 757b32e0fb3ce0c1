//! A disk that is full: a clear answer, nothing damaged, reads go on, and it works again without a restart.

use crate::faults::{Driver, Installation, Kind, Order, script};

const NO_SPACE: i32 = 28;
const QUOTA: i32 = 122;

#[test]
fn a_full_disk_refuses_pushes_serves_pulls_and_recovers() {
    let installation = Installation::create(true);
    let (running, control) = installation.start_with_faults(Order::Nothing, false);
    let client = running.client();
    let mut earlier = Driver::of(script(1));
    earlier.run(client).unwrap();
    let mut later = Driver::of(script(2));
    for error in [NO_SPACE, QUOTA] {
        control.order_about(Order::Fail { from: 1, to: u64::MAX, error }, &Kind::NEED_SPACE);
        let answer = later.advance(client).unwrap();
        assert!(matches!(answer.status, 500 | 507), "{} {}", answer.status, answer.text());
        assert!(answer.text().contains("ServerException"), "{}", answer.text());
        earlier.verify(client);
        assert!(control.hits() > 0);
        control.order(Order::Nothing);
        let answer = later.advance(client).unwrap();
        assert!(answer.is_success(), "{} {}", answer.status, answer.text());
    }
    later.run(client).unwrap();
    later.verify(client);
    assert!(installation.log().contains("full"), "{}", installation.log());
}
