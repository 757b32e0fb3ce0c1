//! The table of settings: the one place where a key, its form, its default and its meaning are written down.

/// One setting.
#[derive(Debug)]
pub struct Setting {
    /// The key in the file; the flag is `--<key>`, the variable `LONGSHORE_<KEY>`.
    pub key: &'static str,
    /// The form of its value, in a word or two.
    pub form: &'static str,
    /// The default, read like a value that was set; `None` when it follows from others.
    pub default: Option<&'static str>,
    /// What it does, in sentences; also the help of the flag and the text of the reference.
    pub about: &'static str,
    /// Where it may be set.
    pub reach: Reach,
}

/// Where a setting may be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// File, environment, flags.
    Everywhere,
    /// Environment only: other users of the machine can read flags, and files get committed.
    Environment,
    /// Everywhere, and a flag without a value means `true`.
    Switch,
}

impl Setting {
    /// `LONGSHORE_DATA_DIR` for `data-dir`.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("LONGSHORE_{}", self.key.replace('-', "_").to_ascii_uppercase())
    }

    /// The setting with this key.
    #[must_use]
    pub fn find(key: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.key == key)
    }
}

const fn setting(
    key: &'static str,
    form: &'static str,
    default: Option<&'static str>,
    about: &'static str,
) -> Setting {
    Setting { key, form, default, about, reach: Reach::Everywhere }
}

/// Every setting, in the order in which the reference shows them.
pub const SETTINGS: &[Setting] = &[
    setting(
        "data-dir",
        "DIR",
        Some("longshore-data"),
        "Folder of everything that has no place of its own; created when missing, for its owner only.",
    ),
    setting(
        "listen",
        "HOST:PORT",
        Some("127.0.0.1:4580"),
        "Where the server listens; port 0 takes any free port. An address that others can reach needs TLS.",
    ),
    setting(
        "account",
        "DIGITS",
        Some("123456789012"),
        "The twelve-digit account of a host name that names none; created at the first start.",
    ),
    setting("region", "NAME", Some("eu-central-1"), "The region of a host name that names none."),
    setting(
        "public-host",
        "TEMPLATE",
        None,
        "HOST[:PORT] that docker can reach, the beginning of every repositoryUri; {account} and {region} stand for \
         those of the registry. Default: localhost with the server's port, which docker allows without TLS.",
    ),
    setting(
        "public-scheme",
        "http|https",
        None,
        "How docker reaches the public host. Default: https when the server itself has a certificate, otherwise \
         http; set https behind a proxy that ends TLS.",
    ),
    setting(
        "tls",
        "self-signed",
        None,
        "Serve TLS with a certificate for the public host and this machine that an authority of this installation \
         signs; both are made at the first start, in <data-dir>/tls. Not together with tls-cert and tls-key.",
    ),
    setting(
        "tls-cert",
        "FILE",
        None,
        "PEM file of the certificate and those that it is signed by; read again when it changes.",
    ),
    setting("tls-key", "FILE", None, "PEM file of the certificate's private key."),
    Setting {
        key: "insecure-http",
        form: "true|false",
        default: Some("false"),
        about: "Allow plain HTTP on an address that others can reach. Passwords and images can then be read and \
                changed on the way; meant for a network behind a proxy that ends TLS.",
        reach: Reach::Switch,
    },
    setting(
        "database",
        "URL",
        None,
        "sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME. Default: sqlite:<data-dir>/catalog.db",
    ),
    setting("blobs", "URL", None, "file:PATH. Default: file:<data-dir>/blobs"),
    setting(
        "disk-reserve-bytes",
        "BYTES",
        Some("16777216"),
        "Room that is kept back beside SQLite's database, so that deletions go on when the volume is full, 0 to \
         1099511627776; 0 keeps none. PostgreSQL looks after its own room.",
    ),
    setting(
        "key-file",
        "FILE",
        None,
        "The installation's sealing keys; written at the first start. Without them no secret in the database can \
         be read: keep a copy apart from it. Nodes of one installation share it. Default: <data-dir>/keys",
    ),
    Setting {
        key: "root-access-key-id",
        form: "ID",
        default: None,
        about: "The root's access key id (16 to 128 letters, digits or underscores), instead of a generated one. \
                While it is set, each start makes it the root's only access key.",
        reach: Reach::Environment,
    },
    Setting {
        key: "root-secret-access-key",
        form: "SECRET",
        default: None,
        about: "The secret of that key, 16 to 128 characters.",
        reach: Reach::Environment,
    },
    setting("log-format", "human|json", Some("human"), "Look of the log on stderr."),
    setting(
        "log-level",
        "LEVEL",
        Some("info"),
        "error, warn, info, debug or trace, or directives such as info,longshore::server=debug.",
    ),
    setting(
        "metrics-listen",
        "HOST:PORT",
        None,
        "A listener of its own for /metrics, /healthz and /readyz; /metrics then leaves the main one.",
    ),
    setting(
        "trusted-proxies",
        "CIDR,…",
        Some(""),
        "Networks of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.",
    ),
    setting(
        "clock-skew-seconds",
        "SECONDS",
        Some("900"),
        "How far the date of a signature may be from the server's clock, 0 to 3600.",
    ),
    setting(
        "shutdown-grace-seconds",
        "SECONDS",
        Some("30"),
        "How long running requests may go on after SIGTERM or SIGINT, 0 to 86400.",
    ),
    setting(
        "max-connections",
        "NUMBER",
        Some("2048"),
        "Connections that are served at once, 1 to 1000000; further ones are answered with 503.",
    ),
    setting(
        "max-requests",
        "NUMBER",
        Some("512"),
        "Requests that are worked on at once, 1 to 1000000; further ones wait in order. The bytes of a download and \
         uploads of layers do not count.",
    ),
    setting(
        "max-uploads",
        "NUMBER",
        Some("128"),
        "Uploads of layers that are received at once, 1 to 1000000; further ones wait in order.",
    ),
    setting(
        "queue-timeout-seconds",
        "SECONDS",
        Some("10"),
        "How long a request waits for its turn, 1 to 600; then it is told to come again (429 TOOMANYREQUESTS to \
         docker, ThrottlingException to aws, both with Retry-After).",
    ),
    setting("max-headers", "NUMBER", Some("100"), "Header fields of one request, 16 to 1000."),
    setting(
        "max-header-bytes",
        "BYTES",
        Some("32768"),
        "Bytes of a request's line and header fields together, 8192 to 262144.",
    ),
    setting(
        "max-buffered-bytes",
        "BYTES",
        Some("536870912"),
        "Memory that the bodies of API calls may take together, 1048576 to 1099511627776; calls that find none \
         left for ten seconds are answered with 503. Docker's uploads are streamed and do not count.",
    ),
    setting(
        "header-timeout-seconds",
        "SECONDS",
        Some("60"),
        "How long a request's header may take to arrive, and how long a connection may lie idle, 1 to 3600.",
    ),
    setting(
        "stall-timeout-seconds",
        "SECONDS",
        Some("60"),
        "The longest pause in a request's body or in the taking of an answer, 1 to 3600.",
    ),
    setting(
        "min-body-bytes-per-second",
        "BYTES",
        Some("1024"),
        "Bytes per second that a request's body must bring, taken over each stall-timeout-seconds, 0 to 1048576; \
         slower requests are ended. 0 bounds the pauses alone.",
    ),
    setting(
        "min-answer-bytes-per-second",
        "BYTES",
        Some("1024"),
        "Bytes per second that a client must take of an answer, taken over each stall-timeout-seconds, 0 to 1048576; \
         slower connections are ended, over HTTP/2 only the stream. 0 bounds the pauses alone. Counted is what leaves \
         the server: the system's socket buffers take up to a few MiB ahead.",
    ),
    setting(
        "upload-expiry-seconds",
        "SECONDS",
        Some("86400"),
        "How long an unfinished upload is kept after its last change, 60 to 31536000.",
    ),
    setting(
        "blob-grace-seconds",
        "SECONDS",
        Some("86400"),
        "How long a layer that no image names, and a referrer whose subject was deleted, is kept, 60 to 31536000.",
    ),
    setting(
        "collect-interval-seconds",
        "SECONDS",
        Some("60"),
        "How long the collector rests between two looks for uploads, layers and referrers whose time has come, 1 to \
         86400. What is due stays that much longer; a look without anything due costs a few reads.",
    ),
    setting(
        "scrub-period-seconds",
        "SECONDS",
        Some("604800"),
        "From the start of one comparison of all stored bytes with their digests to that of the next, 1 to 315360000; \
         0 turns it off.",
    ),
    setting(
        "scrub-bytes-per-second",
        "BYTES",
        Some("20971520"),
        "How fast that comparison reads, 65536 to 1099511627776; 20 MiB/s read 12 TiB in a week.",
    ),
    setting("max-repositories", "NUMBER", Some("100000"), "Repositories in one registry, 1 to 1000000000."),
    setting("max-images", "NUMBER", Some("100000"), "Images in one repository, 1 to 1000000000."),
    setting(
        "max-layer-bytes",
        "BYTES",
        Some("54525952000"),
        "Size of one layer, 1 to 1099511627776; ECR allows 52,000 MiB.",
    ),
    setting("audit-dir", "DIR", None, "Folder of the audit trail. Default: <data-dir>/audit"),
    setting(
        "audit-segment-bytes",
        "BYTES",
        Some("67108864"),
        "Size after which a file of the audit trail is closed, 65536 to 17179869184.",
    ),
    setting(
        "audit-segments",
        "NUMBER",
        Some("16"),
        "Files of the audit trail that are kept, 2 to 1000000; the oldest go first.",
    ),
];
