//! The works: what each one needs, how many connections it has, and its workers.

use std::sync::Arc;

use clap::ValueEnum;

use super::Arguments;
use super::content::{LargeTemplate, Template};
use super::http::Connection;
use super::measure::{self, Worker};
use super::prepare::{Fixtures, SMALL_BYTES, push_repository};
use super::progress::Progress;
use super::pull::{Pulls, Request};
use super::push::{FramedPiece, Framing, LargePushes, Pusher, SmallPushes};
use super::report::Row;
use super::target::Target;
use crate::environment::Environment;

/// One kind of load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Work {
    /// GET of a manifest by tag.
    ManifestGet,
    /// HEAD of a manifest by tag.
    ManifestHead,
    /// Push of an image of three layers of 16 KiB, its configuration and its manifest.
    PushSmall,
    /// Push of a large layer.
    PushLarge,
    /// Pull of a large layer.
    PullLarge,
    /// Pull of an image of three layers and a configuration of 16 KiB each.
    PullSmall,
    /// A page of 1,000 tags.
    ListTags,
}

impl Work {
    /// All of them in the order in which they run.
    pub(super) const ALL: &'static [Self] = &[
        Self::ManifestGet,
        Self::ManifestHead,
        Self::PushSmall,
        Self::PushLarge,
        Self::PullLarge,
        Self::PullSmall,
        Self::ListTags,
    ];

    /// The name on the command line and in reports.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ManifestGet => "manifest-get",
            Self::ManifestHead => "manifest-head",
            Self::PushSmall => "push-small",
            Self::PushLarge => "push-large",
            Self::PullLarge => "pull-large",
            Self::PullSmall => "pull-small",
            Self::ListTags => "list-tags",
        }
    }

    fn unit(self) -> &'static str {
        match self {
            Self::ManifestGet | Self::ManifestHead => "requests",
            Self::PushSmall | Self::PullSmall => "images",
            Self::PushLarge | Self::PullLarge => "layers",
            Self::ListTags => "pages",
        }
    }

    fn connections(self) -> usize {
        match self {
            Self::ManifestGet | Self::ManifestHead | Self::PullSmall => 8,
            Self::PushSmall => 4,
            Self::PushLarge | Self::PullLarge => 2,
            Self::ListTags => 1,
        }
    }
}

/// Pushes what these works read.
pub(super) fn prepare(
    works: &[Work],
    fixtures: &Fixtures,
    target: &Arc<Target>,
    framing: Framing,
) -> anyhow::Result<()> {
    let needs = |wanted: &[Work]| works.iter().any(|work| wanted.contains(work));
    if needs(&[Work::ManifestGet, Work::ManifestHead, Work::PullSmall]) {
        fixtures.push_images(target, framing)?;
    }
    if needs(&[Work::PullLarge]) {
        fixtures.push_large(target, framing)?;
    }
    if needs(&[Work::ListTags]) {
        fixtures.push_tags(target, framing)?;
    }
    Ok(())
}

/// One run of the command.
pub(super) struct Run<'a> {
    pub(super) arguments: &'a Arguments,
    pub(super) target: &'a Arc<Target>,
    pub(super) fixtures: &'a Fixtures,
}

impl Run<'_> {
    /// Measures one work.
    pub(super) fn measure(&self, work: Work) -> anyhow::Result<Row> {
        let connections = self.arguments.connections.unwrap_or(work.connections());
        let workers = self.workers(work, connections)?;
        let progress = Progress::of(work.name());
        let measured = measure::run(workers, self.arguments.bounds(), self.arguments.pid, &progress)?;
        Ok(Row::new(work.name(), work.unit(), connections, &measured))
    }

    fn workers(&self, work: Work, connections: usize) -> anyhow::Result<Vec<Box<dyn Worker>>> {
        let (fixtures, target) = (self.fixtures, self.target.as_ref());
        match work {
            Work::ManifestGet => self.pulls(connections, &[vec![fixtures.manifest_request(target, false)]]),
            Work::ManifestHead => self.pulls(connections, &[vec![fixtures.manifest_request(target, true)]]),
            Work::PullLarge => self.pulls(connections, &[vec![fixtures.large_request(target)]]),
            Work::PullSmall => self.pulls(connections, &fixtures.image_requests(target)),
            Work::ListTags => self.pulls(connections, &[vec![fixtures.tags_request(target)]]),
            Work::PushSmall => self.small_pushes(connections),
            Work::PushLarge => self.large_pushes(connections),
        }
    }

    fn pulls(&self, connections: usize, operations: &[Vec<Request>]) -> anyhow::Result<Vec<Box<dyn Worker>>> {
        let workers = (0..connections).map(|number| {
            let connection = Connection::open(self.target)?;
            let worker = Pulls::new(connection, operations.to_vec(), number * operations.len() / connections);
            Ok(Box::new(worker) as Box<dyn Worker>)
        });
        workers.collect()
    }

    fn small_pushes(&self, connections: usize) -> anyhow::Result<Vec<Box<dyn Worker>>> {
        let (run, seed) = unique()?;
        let template = Arc::new(Template::new(seed, SMALL_BYTES));
        let workers = (0..connections).map(|number| {
            let worker = SmallPushes {
                pusher: self.pusher()?,
                template: Arc::clone(&template),
                name: format!("{run}-{number}"),
                next: 0,
            };
            Ok(Box::new(worker) as Box<dyn Worker>)
        });
        workers.collect()
    }

    fn large_pushes(&self, connections: usize) -> anyhow::Result<Vec<Box<dyn Worker>>> {
        let (run, seed) = unique()?;
        let template = Arc::new(LargeTemplate::new(seed, self.arguments.layer_mib));
        let framed = Arc::new(FramedPiece::new(&template, self.arguments.framing));
        let workers = (0..connections).map(|number| {
            let worker = LargePushes {
                pusher: self.pusher()?,
                template: Arc::clone(&template),
                framed: Arc::clone(&framed),
                name: format!("{run}-{number}"),
                next: 0,
            };
            Ok(Box::new(worker) as Box<dyn Worker>)
        });
        workers.collect()
    }

    fn pusher(&self) -> anyhow::Result<Pusher> {
        Pusher::new(self.target, &push_repository(&self.arguments.prefix), self.arguments.framing)
    }
}

/// A name and a seed that no other run has: what is pushed must be new to the registry.
fn unique() -> anyhow::Result<(String, u64)> {
    let seed = u64::from_le_bytes(Environment::system().random::<8>()?);
    Ok((format!("{seed:016x}"), seed))
}
