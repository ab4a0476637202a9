//! The table of everything that can be configured, except app entries (see [`super::app_table`]).

use super::bounds::{
    CPU_PERCENT, FOLDER_MIB, MAX_BITRATE_KBPS, MAX_FPS, MAX_SIDE, MEMORY_MIB, MIN_BITRATE_KBPS, MIN_FPS, MIN_SIDE,
    OPEN_FILES, PROCESSES,
};
use super::value::Kind;

const DAY_MS: u64 = 86_400_000;

/// One thing that can be configured.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// `section.key`: as in a file, and in the environment as `HELIOSTAT_SECTION_KEY`.
    pub name: &'static str,
    /// What it may be set to.
    pub kind: Kind,
    /// What it is when nobody sets it, in the form of a file or variable.
    pub default: &'static str,
    /// What it is for; a sentence or two.
    pub help: &'static str,
}

impl Key {
    /// The variable of the environment that sets it.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("{ENV_PREFIX}{}", self.name.replace('.', "_").to_ascii_uppercase())
    }

    /// The section it stands in.
    #[must_use]
    pub fn section(&self) -> &'static str {
        self.name.split_once('.').map_or(self.name, |(section, _)| section)
    }
}

/// What every variable of the environment that configures begins with.
pub const ENV_PREFIX: &str = "HELIOSTAT_";

/// The key of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

const fn key(name: &'static str, kind: Kind, default: &'static str, help: &'static str) -> Key {
    Key {
        name,
        kind,
        default,
        help,
    }
}

/// Every key, in the order in which they are shown.
pub const KEYS: &[Key] = &[
    key(
        "server.listen",
        Kind::Address,
        "127.0.0.1:8080",
        "Address and port of the pages. Other than loopback only with TLS, or together with `server.insecure_http`.",
    ),
    key(
        "server.auth",
        Kind::Choice(&["token", "open"]),
        "token",
        "`token`: the first visit needs the token printed at start. `open`: whoever reaches the pages may launch.",
    ),
    key(
        "server.insecure_http",
        Kind::Bool,
        "false",
        "Agree to pages without encryption on an address that the network can reach.",
    ),
    key(
        "server.tls",
        Kind::Choice(&["auto", "off", "self-signed"]),
        "auto",
        "`auto`: pages are encrypted if `server.tls_certificate` is set. `self-signed`: with a certificate of the host's \
         own, for a first try. `off`: not at all.",
    ),
    key(
        "server.tls_certificate",
        Kind::File,
        "",
        "The certificate of the pages with those that lead to its root, in PEM. Read again when it changes.",
    ),
    key(
        "server.tls_key",
        Kind::File,
        "",
        "The private key of `server.tls_certificate`, in PEM.",
    ),
    key(
        "server.hsts",
        Kind::Choice(&["auto", "on", "off"]),
        "auto",
        "Whether browsers are told to come by https only, for a year (RFC 6797). `auto`: with a certificate from files.",
    ),
    key(
        "server.trusted_proxies",
        Kind::Networks,
        "",
        "Reverse proxies that are believed who a request comes from, and whether by https, to what name.",
    ),
    key(
        "server.proxy_headers",
        Kind::Choice(&["x-forwarded", "forwarded"]),
        "x-forwarded",
        "What those proxies say it by: `X-Forwarded-For`, `-Proto` and `-Host`, or `Forwarded` (RFC 7239). The other is \
         ignored.",
    ),
    key(
        "server.state",
        Kind::Folder,
        "",
        "The state folder, 0700, used by one host at a time. Empty: `$XDG_STATE_HOME/heliostat`, else \
         `~/.local/state/heliostat`.",
    ),
    key(
        "server.region",
        Kind::Name,
        "local",
        "The region this machine registers itself with.",
    ),
    key(
        "server.hosts",
        Kind::Words,
        "",
        "Further host names (`name` or `name:port`) under which browsers reach the pages, as behind a proxy. Known without are \
         `localhost`, addresses, this machine's name, with `.local` as well, and the names in `server.tls_certificate`.",
    ),
    key(
        "server.embedders",
        Kind::Words,
        "",
        "Origins (`https://example.org`) whose pages may embed the viewer, in a frame or as an element, and use the REST interface with the browser's cookies.",
    ),
    key(
        "access.bare_url",
        Kind::Choice(&["spectator", "none"]),
        "spectator",
        "What the bare address of an instance makes of those who know it: `spectator`, or `none`, so that others than its owner need a link.",
    ),
    key(
        "access.output",
        Kind::Choice(&["owner", "everybody"]),
        "owner",
        "Who sees the last lines that an app wrote before it failed: its `owner` and administrators, or `everybody` who may watch it.",
    ),
    key(
        "instances.capacity",
        Kind::Cores(1, 1000),
        "cores",
        "Instances on this machine at once. `cores`: one per processor core.",
    ),
    key(
        "instances.per_session",
        Kind::Number(1, 1000),
        "4",
        "Instances of one session at once.",
    ),
    key(
        "instances.idle_timeout",
        Kind::SpanOrNever(1_000, 365 * DAY_MS),
        "30min",
        "An instance without viewers is ended after this time. 0: never.",
    ),
    key(
        "instances.host_absence",
        Kind::Span(1_000, 7 * DAY_MS),
        "10min",
        "An instance whose host is gone waits this long to be adopted by the next, and then ends itself.",
    ),
    key(
        "instances.readiness_timeout",
        Kind::Span(1_000, 3_600_000),
        "60s",
        "An app that is not ready by then has failed (`not_ready`).",
    ),
    key(
        "instances.capture_idle_timeout",
        Kind::SpanOrNever(1_000, DAY_MS),
        "60s",
        "The process that takes and encodes the pictures of an instance ends when nobody has watched for so long, or up to \
         twice that; the next viewer waits a little longer for the first of them. 0: never.",
    ),
    key(
        "instances.lang",
        Kind::Name,
        "C.UTF-8",
        "The locale of apps whose entry sets no `LANG` in its `env`; it has to be installed (`locale -a`). Their time zone is \
         the host's own `TZ`, else the system's.",
    ),
    key(
        "video.width",
        Kind::Number(MIN_SIDE, MAX_SIDE),
        "1280",
        "Width of a picture when nobody asks, in pixels.",
    ),
    key(
        "video.height",
        Kind::Number(MIN_SIDE, MAX_SIDE),
        "720",
        "Height of a picture when nobody asks, in pixels.",
    ),
    key(
        "video.fps",
        Kind::Number(MIN_FPS, MAX_FPS),
        "60",
        "Frames per second at most, when nobody asks.",
    ),
    key(
        "video.bitrate_kbps",
        Kind::Number(MIN_BITRATE_KBPS, MAX_BITRATE_KBPS),
        "4000",
        "Bit rate of a picture at most, in kbit/s.",
    ),
    key(
        "video.ladder",
        Kind::Ladder,
        "100/240/1200, 100/30/0",
        "The forms that a viewer may get the picture in, by what its line carries, the best first: the size in percent of \
         the screen's sides, frames per second at most, and the kbit/s below which a viewer is better off with the next.",
    ),
    key(
        "video.codecs",
        Kind::Choices(&["h264", "vp8", "vp9", "av1"]),
        "h264, vp8",
        "The codecs that a viewer may get the picture in, the preferred first. VP9 and AV1 take several times the processor \
         time of H.264.",
    ),
    key(
        "video.chroma",
        Kind::Choice(&["420", "444"]),
        "420",
        "`444`: whoever can gets the colours of H.264 in full size while the picture hardly moves, so that coloured text is \
         as sharp as black. Such a browser decodes all of that stream by its processor.",
    ),
    key(
        "video.transports",
        Kind::Transports,
        "webrtc, websocket, vnc",
        "The ways by which a browser may get the picture. `vnc` is there where x11vnc is installed.",
    ),
    key(
        "session.resume_grace",
        Kind::Span(100, 3_600_000),
        "8s",
        "A viewer whose socket dropped has this long to come back to its living connection.",
    ),
    key(
        "session.lifetime",
        Kind::Span(3_600_000, 3650 * DAY_MS),
        "30d",
        "A session that nobody used for this long, and without instances, is forgotten.",
    ),
    key(
        "media.udp_ports",
        Kind::Ports,
        "40000-49999",
        "UDP ports of the media, one per connection and address. The firewall must let them in.",
    ),
    key(
        "media.bind",
        Kind::Addresses,
        "",
        "Addresses of this machine that media uses. Empty: all of them.",
    ),
    key(
        "media.disconnected_timeout",
        Kind::Span(1_000, 60_000),
        "3s",
        "A viewer not heard of for this long counts as disconnected.",
    ),
    key(
        "media.failed_timeout",
        Kind::Span(1_000, 60_000),
        "5s",
        "A viewer disconnected for this long further counts as gone.",
    ),
    key(
        "ice.servers",
        Kind::IceServers,
        "",
        "STUN and TURN servers that browsers are told of. TURN servers are told of only with a secret.",
    ),
    key(
        "ice.secret_file",
        Kind::File,
        "",
        "A file with the secret shared with the TURN servers (coturn: `static-auth-secret`), one a line. The first makes \
         the credentials; a second one, while secrets are exchanged, is tried by `heliostat check-ice`, too.",
    ),
    key(
        "ice.secrets",
        Kind::Secrets,
        "",
        "The same as a value, best in the environment; what is set here comes before the file. `heliostat config` does \
         not show it.",
    ),
    key(
        "ice.credentials_life",
        Kind::Span(3_000, DAY_MS),
        "1h",
        "How long a browser's TURN credentials are good. Fresh ones are sent after two thirds of it.",
    ),
    key(
        "ice.transport_policy",
        Kind::Choice(&["all", "relay"]),
        "all",
        "`relay`: browsers connect through a TURN server only, so that viewers and host do not learn each other's address.",
    ),
    key(
        "ice.public_address",
        Kind::PublicAddress,
        "",
        "The public address of a host behind 1:1 NAT, where the UDP ports arrive unchanged. `stun`: the STUN servers \
         of `ice.servers` are asked for it, at the start and once a minute.",
    ),
    key(
        "limits.requests_per_minute",
        Kind::Number(60, 1_000_000),
        "1200",
        "Requests of one address a minute, files of the pages that are there apart. Over it: 429.",
    ),
    key(
        "limits.sessions_per_hour",
        Kind::Number(1, 1_000_000),
        "600",
        "New sessions of one address an hour. Over it: 429.",
    ),
    key(
        "limits.launches_per_hour",
        Kind::Number(1, 1_000_000),
        "240",
        "Launches and restarts of one session an hour. Over it: 429.",
    ),
    key(
        "limits.wrong_tokens",
        Kind::Number(1, 1000),
        "10",
        "Wrong tokens, bearers and links of one address before further wrong ones are refused: for a minute, and twice as \
         long after each further one, up to an hour. The right one is let in.",
    ),
    key(
        "limits.sockets_per_address",
        Kind::Number(1, 100_000),
        "256",
        "Sockets of one address at once, for signalling and for media: of guests, as many of others who may launch, and of administrators. Over it: 429.",
    ),
    key(
        "limits.sockets_per_session",
        Kind::Number(1, 10_000),
        "32",
        "Sockets of one session at once, for signalling and for media. Over it: 429.",
    ),
    key(
        "limits.messages_per_second",
        Kind::Number(10, 100_000),
        "50",
        "Messages of one signalling socket a second, four times as many at once. Those over it are refused \
         (`rate_limited`); who goes on is closed with 1008.",
    ),
    key(
        "limits.viewers_per_instance",
        Kind::Number(1, 10_000),
        "256",
        "Spectators of one instance at once, connected or not, and as many controllers; its owner and administrators are let \
         in all the same. Over it: `too_many_viewers`.",
    ),
    key(
        "limits.peers_per_instance",
        Kind::Number(1, 1000),
        "64",
        "Peer connections of one instance at once, one a viewer. One of 16 is kept from spectators, who give way to its \
         controllers, and all to its owner and administrators: `gave_way`. Over it: `too_many_peers`.",
    ),
    key(
        "limits.pending_offers",
        Kind::Number(1, 1000),
        "16",
        "Offers of one session that no connection has come of yet, at all instances. Each that none ever comes of is one less \
         for ten minutes; a connection forgives half of them. Over it: `too_many_offers`.",
    ),
    key(
        "limits.candidates_per_peer",
        Kind::Number(1, 1000),
        "30",
        "ICE candidates that a browser may send for one connection. Over it: `bad_candidate`.",
    ),
    key(
        "apps.user",
        Kind::Name,
        "heliostat",
        "The unprivileged user that apps run as when the host runs as root. Of no effect otherwise.",
    ),
    key(
        "sandbox.mode",
        Kind::Choice(&["auto", "require", "off"]),
        "auto",
        "Whether apps run in bubblewrap sandboxes: `auto` where this machine lets them, and a host that is root does not start without; `require` or no host starts; `off`, never.",
    ),
    key(
        "apps.memory_mib",
        Kind::Limit(MEMORY_MIB.0, MEMORY_MIB.1),
        "4096",
        "Memory of all processes of an app together, in MiB. Without control groups: the private memory of each process.",
    ),
    key(
        "apps.cpu_percent",
        Kind::Limit(CPU_PERCENT.0, CPU_PERCENT.1),
        "0",
        "Processor time of an app, in percent of one core. Only with control groups.",
    ),
    key(
        "apps.processes",
        Kind::Limit(PROCESSES.0, PROCESSES.1),
        "1024",
        "Processes and threads of an app.",
    ),
    key(
        "apps.open_files",
        Kind::Limit(OPEN_FILES.0, OPEN_FILES.1),
        "8192",
        "Open files of each process of an app.",
    ),
    key(
        "apps.home_mib",
        Kind::Limit(FOLDER_MIB.0, FOLDER_MIB.1),
        "1024",
        "Size of a home, in MiB. An ephemeral one is held in memory and takes no more; an app whose kept one has grown larger is ended (`home_full`). 0: on disk, without a limit.",
    ),
    key(
        "apps.tmp_mib",
        Kind::Limit(FOLDER_MIB.0, FOLDER_MIB.1),
        "512",
        "Size of an app's temporary folder, in MiB, held in memory. 0: on disk, without a limit.",
    ),
    key(
        "store.url",
        Kind::Database,
        "sqlite:heliostat.db",
        "The database; a relative path is within the state folder. `DATABASE_URL` sets it, too.",
    ),
    key(
        "store.retention",
        Kind::SpanOrNever(3_600_000, 3650 * DAY_MS),
        "30d",
        "Rows of what has ended are deleted after this time. 0: never.",
    ),
    key(
        "store.events",
        Kind::Number(100, 10_000_000),
        "100000",
        "Events kept at most; of each class the oldest are deleted first, and none displaces another.",
    ),
    key("log.filter", Kind::LogFilter, "info", "Which log lines are written."),
];

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
