//! How many requests are worked on at once, and who waits for how long.
//!
//! Requests wait for a place in the order in which they came, for at most `queue-timeout-seconds`; then, or at once
//! when too many wait already, they are told to come again. Uploads have places of their own, so that a storm of
//! large pushes does not keep anybody from pulling, and the other way round.
//!
//! A place ends with the head of the answer: the bytes of a download are bounded by the connections, not by places.
//! A call that is not answered after [`HOLD`] gives its place away and goes on without one, so that clients who send
//! a body a byte at a time cannot keep the others out; what such calls hold is bounded by the connections and by the
//! [budget](super::budget). An upload keeps its place for as long as bytes come: the stall limit ends the others.
//!
//! So nobody waits longer than the queue's time without an answer, and a call that got a place has waited for others
//! for no more than that.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use http_body::Body as _;
use metrics::{counter, gauge};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::face::Face;
use crate::api::RequestBody;
use crate::config::Limits;

/// How long a call keeps its place.
const HOLD: Duration = Duration::from_secs(10);

/// Requests that may wait for one place; more than this could not be served in time anyway.
const WAITING_PER_PLACE: usize = 16;

/// The places of one server.
#[derive(Debug)]
pub(super) struct Admission {
    calls: Class,
    uploads: Class,
    patience: Duration,
}

#[derive(Debug)]
struct Class {
    name: &'static str,
    places: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    hold: Option<Duration>,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    permit: Option<OwnedSemaphorePermit>,
    hold: Option<Duration>,
}

impl Class {
    fn new(name: &'static str, places: usize, hold: Option<Duration>) -> Self {
        // Above its maximum tokio's semaphore panics.
        let places = places.clamp(1, Semaphore::MAX_PERMITS / WAITING_PER_PLACE);
        let waiting = Arc::new(Semaphore::new(places * WAITING_PER_PLACE));
        Self { name, places: Arc::new(Semaphore::new(places)), waiting, hold }
    }

    async fn place(&self, patience: Duration) -> Option<Place> {
        if let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() {
            return Some(Place { permit: Some(permit), hold: self.hold });
        }
        let Ok(_waiting) = self.waiting.try_acquire() else { return self.refused() };
        let _counted = Waiting::begin(self.name);
        let place = Arc::clone(&self.places).acquire_owned();
        match tokio::time::timeout(patience, place).await {
            Ok(Ok(permit)) => Some(Place { permit: Some(permit), hold: self.hold }),
            _ => self.refused(),
        }
    }

    fn refused(&self) -> Option<Place> {
        counter!("longshore_requests_refused_total", "class" => self.name).increment(1);
        None
    }
}

/// Counts one waiting request for as long as it lives, also when its client goes away.
struct Waiting(&'static str);

impl Waiting {
    fn begin(class: &'static str) -> Self {
        gauge!("longshore_requests_waiting", "class" => class).increment(1.0);
        Self(class)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        gauge!("longshore_requests_waiting", "class" => self.0).decrement(1.0);
    }
}

impl Admission {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            calls: Class::new("call", limits.requests, Some(HOLD)),
            uploads: Class::new("upload", limits.uploads, None),
            patience: limits.queue_timeout,
        }
    }

    /// A place for a request; `None` when it shall come again later.
    pub(super) async fn place(
        &self,
        face: Face,
        method: &Method,
        path: &str,
        body: &RequestBody,
    ) -> Option<Place> {
        let is_upload = face == Face::Registry
            && matches!(*method, Method::PATCH | Method::PUT | Method::POST)
            && path.contains("/blobs/uploads")
            && body.size_hint().exact() != Some(0);
        let class = if is_upload { &self.uploads } else { &self.calls };
        class.place(self.patience).await
    }
}

impl Place {
    /// Does the work, and gives the place away when the work is done or the place was held for too long.
    pub(super) async fn hold<T>(mut self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        if let Some(hold) = self.hold {
            tokio::select! {
                biased;
                done = work.as_mut() => return done,
                () = tokio::time::sleep(hold) => drop(self.permit.take()),
            }
        }
        work.await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(1);

    #[tokio::test]
    async fn who_waits_gets_a_place_in_order_or_hears_of_it_in_time() {
        let class = Arc::new(Class::new("test", 1, None));
        let first = class.place(PATIENCE).await.unwrap();
        let order = Arc::new(std::sync::Mutex::new(Vec::new()));
        let mut waiting = Vec::new();
        for number in 0..3 {
            let (class, order) = (Arc::clone(&class), Arc::clone(&order));
            waiting.push(tokio::spawn(async move {
                let place = class.place(PATIENCE).await;
                order.lock().unwrap().push((number, place.is_some()));
                // The second keeps its place for longer than the third waits.
                tokio::time::sleep(PATIENCE * 2 * number).await;
            }));
            tokio::task::yield_now().await;
        }
        drop(first);
        for task in waiting {
            task.await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), [(0, true), (1, true), (2, false)]);
    }

    #[tokio::test]
    async fn too_many_who_wait_are_refused_at_once() {
        let class = Arc::new(Class::new("test", 1, None));
        let _first = class.place(PATIENCE).await.unwrap();
        let mut waiting = Vec::new();
        for _ in 0..WAITING_PER_PLACE {
            let class = Arc::clone(&class);
            waiting.push(tokio::spawn(async move { class.place(PATIENCE).await.is_some() }));
        }
        tokio::task::yield_now().await;
        // An hour of patience: the test would hang if it were not refused at once.
        assert!(class.place(Duration::from_secs(3600)).await.is_none());
        for task in waiting {
            assert!(!task.await.unwrap());
        }
    }

    #[tokio::test]
    async fn a_slow_call_gives_its_place_away_and_goes_on() {
        let class = Arc::new(Class::new("test", 1, Some(Duration::from_millis(50))));
        let slow = class.place(PATIENCE).await.unwrap();
        let (end, ended) = tokio::sync::oneshot::channel::<u8>();
        let slow = tokio::spawn(slow.hold(ended));
        assert!(class.place(Duration::from_secs(60)).await.is_some());
        end.send(7).unwrap();
        assert_eq!(slow.await.unwrap().unwrap(), 7);
    }
}
