//! What an app in its sandbox can see and reach of others.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};

use heliostat::config::Network;
use heliostat::protocol::keeper::Exit;

use super::boxed::Boxed;
use super::support::{GRACE, LONG, role, until};

const DONE: Exit = Exit::Code(0);

#[tokio::test]
async fn an_app_sees_its_own_files_and_display_and_nobody_elses() {
    let (mine, other) = (Boxed::plain().await, Boxed::plain().await);
    let token = mine.place.state.path().join("token");
    fs::write(&token, "secret").unwrap();
    let (other_home, other_authority) = (&other.folders.home, &other.layout.xauthority);
    let app = role("render");
    let write = other.script("echo theirs > $HOME/theirs; exec sleep 1000");
    other.keeper.ensure(&app, write, GRACE).await.unwrap();
    let script = format!(
        "echo mine > $HOME/file && cat $HOME/file; echo x > /tmp/y && cat $TMPDIR/y; ls -A /tmp/.X11-unix; \
         test -r $XAUTHORITY && echo may open; \
         ls {home}; cat {home}/theirs {authority} {token}; ls {state}; ls /root /home; \
         echo > /etc/new; echo > $XAUTHORITY; cat /etc/shadow",
        home = other_home.display(),
        authority = other_authority.display(),
        token = token.display(),
        state = mine.place.state.path().display(),
    );
    let (_, said) = mine.run(&script).await;
    let display = format!("X{}", mine.display.number);
    let all: Vec<&str> = said.lines().collect();
    assert_eq!(all[..4], ["mine", "x", &display, "may open"], "{said}");
    for refused in [
        "theirs:",
        "token:",
        "/root",
        "/home",
        "/etc/new:",
        ".Xauthority:",
        "/etc/shadow:",
    ] {
        let line = all.iter().skip(4).find(|line| line.contains(refused));
        let line = line.unwrap_or_else(|| panic!("{refused} was let through: {said}"));
        assert!(
            ["No such file", "Permission denied", "Read-only"]
                .iter()
                .any(|why| line.contains(why)),
            "{line}"
        );
    }
    assert!(!said.contains("secret") && !all.contains(&"theirs"), "{said}");
    mine.end().await;
    other.end().await;
}

#[tokio::test]
async fn the_abstract_socket_of_a_display_belongs_to_the_hosts_network() {
    let mine = Boxed::plain().await;
    let sockets = fs::read_to_string("/proc/net/unix").unwrap();
    let its_own = format!("@/tmp/.X11-unix/X{}", mine.display.number);
    assert!(sockets.lines().any(|line| line.ends_with(&its_own)));
    assert_eq!(mine.run("grep -c X11-unix /proc/net/unix").await.1, "0");
    mine.end().await;
}

#[tokio::test]
async fn an_app_sees_no_other_processes_nor_their_environment_and_has_no_rights() {
    let (mine, other) = (Boxed::plain().await, Boxed::plain().await);
    let script = "ls -d /proc/[0-9]* | wc -l; cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | grep INSTANCE | sort -u; \
                  grep -E '^(NoNewPrivs|Seccomp|CapEff|CapBnd):' /proc/self/status; cat /proc/self/oom_score_adj; \
                  ls -A /dev | grep -E '^(dri|uinput|net|sda|vda|mem|kmsg)$'; hostname; id -u; mount -t tmpfs x /tmp";
    let (_, said) = mine.run(script).await;
    let all: Vec<&str> = said.lines().collect();
    let count: u32 = all[0].parse().unwrap();
    assert!(count <= 8, "{count} processes");
    assert_eq!(all[1], format!("HELIOSTAT_INSTANCE={}", mine.place.options.instance));
    assert_eq!(
        all[2..7],
        [
            "CapEff:\t0000000000000000",
            "CapBnd:\t0000000000000000",
            "NoNewPrivs:\t1",
            "Seccomp:\t2",
            "500"
        ],
        "{said}"
    );
    let user = mine
        .layout
        .user
        .map_or_else(|| nix::unistd::geteuid().as_raw(), |user| user.uid);
    assert_eq!(all[7..9], ["heliostat", &user.to_string()], "{said}");
    assert!(all[9..].join(" ").contains("mount"), "{said}");
    mine.end().await;
    other.end().await;
}

/// What of netlink can be opened: the packet filter, IPsec, generic netlink, routes, devices.
const NETLINK: &str =
    "for my $protocol (12, 6, 16, 0, 15) { print socket(my $s, 16, 3, $protocol) ? qq(open ) : qq(refused ) }";

#[tokio::test]
async fn an_app_makes_user_namespaces_only_where_its_entry_says_so() {
    let script = "unshare -U true && echo made; unshare -Urn true && echo with a network; perl -e 'exit 0' && echo runs; \
                  (echo a child) | cat";
    let (plain, nesting) = (Boxed::plain().await, Boxed::new(|app| app.user_namespaces = true).await);
    let (_, said) = plain.run(script).await;
    let refused = said
        .lines()
        .filter(|line| line.contains("Operation not permitted"))
        .count();
    assert_eq!(refused, 2, "{said}");
    assert!(said.ends_with("runs\na child"), "{said}");
    let (_, said) = nesting.run(script).await;
    assert_eq!(said, "made\nwith a network\nruns\na child");
    plain.end().await;
    nesting.end().await;
}

#[tokio::test]
async fn in_a_user_namespace_of_its_own_an_app_reaches_no_packet_filter_and_no_ipsec() {
    let mine = Boxed::new(|app| app.user_namespaces = true).await;
    let (_, said) = mine
        .run(&format!("perl -e '{NETLINK}'; unshare -Urn perl -e '{NETLINK}'"))
        .await;
    assert_eq!(said, "refused refused refused open open ".repeat(2));
    mine.end().await;
}

#[tokio::test]
async fn a_browser_has_its_own_sandbox_where_its_entry_lets_it() {
    if !std::path::Path::new("/usr/bin/chromium").exists() {
        return eprintln!("skipped: chromium is not installed");
    }
    let script = "chromium --headless=new --disable-gpu --disable-dev-shm-usage --no-first-run --user-data-dir=$HOME/c \
                  --dump-dom 'data:text/html,<p>shown</p>'";
    let (plain, nesting) = (Boxed::plain().await, Boxed::new(|app| app.user_namespaces = true).await);
    let (exit, said) = nesting.run(script).await;
    assert_eq!(exit, DONE, "{said}");
    assert!(said.contains("<p>shown</p>"), "{said}");
    let (exit, said) = plain.run(script).await;
    assert!(exit != DONE && said.contains("sandbox"), "{exit:?} {said}");
    plain.end().await;
    nesting.end().await;
}

#[tokio::test]
async fn shared_memory_is_the_instances_and_its_displays() {
    let (mine, other) = (Boxed::plain().await, Boxed::plain().await);
    let app = role("render");
    let script = mine.script("ipcmk -M 4096 && exec sleep 1000");
    let started = mine.keeper.ensure(&app, script, GRACE).await.unwrap();
    let roles = mine.keeper.status().await.unwrap();
    let display = roles.iter().find(|found| found.role == role("xvfb")).unwrap().pid;
    let namespace = |pid| fs::read_link(Boxed::proc(pid, "ns/ipc")).unwrap();
    // Else MIT-SHM fails with BadAccess, and every frame goes through the socket.
    assert_eq!(namespace(started.pid), namespace(display));
    let own = i32::try_from(std::process::id()).unwrap();
    assert_ne!(namespace(started.pid), namespace(own));
    let said = async || mine.keeper.tail(&app, 1).await.unwrap().join("");
    timeout_until(async || said().await.contains("Shared memory id")).await;
    let count = "ipcs -m | grep -c ^0x";
    assert_eq!(mine.run(count).await.1, "1");
    assert_eq!(other.run(count).await.1, "0");
    mine.end().await;
    other.end().await;
}

async fn timeout_until(mut holds: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !holds().await {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LONG, wait).await.unwrap();
}

/// Whether each of these can be connected to from within.
async fn reaches(boxed: &Boxed, targets: &[(String, u16)]) -> Vec<bool> {
    let tries: Vec<String> = targets
        .iter()
        .map(|(host, port)| {
            format!("timeout 3 bash -c 'echo > /dev/tcp/{host}/{port}' 2>/dev/null && echo yes || echo no")
        })
        .collect();
    let (_, said) = boxed.run(&tries.join("; ")).await;
    said.lines().map(|line| line == "yes").collect()
}

/// Ports of this machine that somebody listens on, at every address it has.
fn listening() -> (TcpListener, Vec<(String, u16)>) {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let shown = std::process::Command::new("ip")
        .args(["-4", "-o", "address"])
        .output()
        .unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    let addresses = shown
        .lines()
        .filter_map(|line| line.split_whitespace().nth(3)?.split('/').next());
    let targets = addresses.map(|address| (address.to_owned(), port)).collect();
    (listener, targets)
}

#[tokio::test]
async fn without_a_network_an_app_reaches_nothing_of_the_host() {
    let (_listener, targets) = listening();
    assert!(targets.iter().any(|(host, _)| host == "127.0.0.1"));
    let mine = Boxed::plain().await;
    assert_eq!(reaches(&mine, &targets).await, vec![false; targets.len()]);
    mine.end().await;
}

#[tokio::test]
async fn with_all_of_the_network_an_app_reaches_what_the_host_reaches() {
    let (_listener, targets) = listening();
    let mine = Boxed::new(|app| app.network = Network::Full).await;
    assert_eq!(reaches(&mine, &targets).await, vec![true; targets.len()]);
    mine.end().await;
}

/// Says why no app can have the internet here, which is as it should be where only root may make a device for it.
fn no_internet() -> bool {
    let device = fs::File::options().read(true).write(true).open("/dev/net/tun");
    let why = device.err().filter(|_| !super::support::is_root());
    if let Some(why) = &why {
        eprintln!("skipped: /dev/net/tun: {why}");
    }
    why.is_some()
}

#[tokio::test]
async fn with_the_internet_an_app_reaches_neither_the_host_nor_its_neighbours() {
    if no_internet() {
        return;
    }
    let (_listener, mut targets) = listening();
    let port = targets[0].1;
    // The host as the helper shows it.
    targets.push(("198.19.255.2".into(), port));
    let mine = Boxed::new(|app| app.network = Network::Internet).await;
    assert_eq!(reaches(&mine, &targets).await, vec![false; targets.len()]);
    let (exit, said) = mine
        .run(
            "ip -o route get 9.9.9.9; for neighbour in 10.0.0.1 169.254.169.254 172.16.0.1 192.168.1.1; do \
             ip route get $neighbour 2>&1; done; cat /etc/resolv.conf",
        )
        .await;
    assert_eq!(exit, DONE, "{said}");
    let all: Vec<&str> = said.lines().collect();
    assert!(all[0].contains("dev tap0"), "{said}");
    assert_eq!(
        all.iter().filter(|line| line.contains("No route to host")).count(),
        4,
        "{said}"
    );
    assert_eq!(all.last(), Some(&"nameserver 198.19.255.3"));
    mine.end().await;
}

#[tokio::test]
async fn who_carries_the_network_goes_with_the_app_and_the_app_with_it() {
    if no_internet() {
        return;
    }
    let mine = Boxed::new(|app| app.network = Network::Internet).await;
    let app = role("render");
    let carrier = |mine: &Boxed| {
        let is_carrier =
            |pid: &i32| fs::read(Boxed::proc(*pid, "cmdline")).is_ok_and(|line| line.starts_with(b"slirp4netns"));
        mine.place.marked().into_iter().find(is_carrier)
    };
    mine.keeper
        .ensure(&app, mine.script("exec sleep 1000"), GRACE)
        .await
        .unwrap();
    let first = carrier(&mine).expect("a helper");
    mine.keeper.stop(&app, GRACE).await.unwrap();
    until("it is gone", || !super::support::lives(first)).await;
    let mut events = mine.keeper.events();
    mine.keeper
        .ensure(&app, mine.script("exec sleep 1001"), GRACE)
        .await
        .unwrap();
    super::support::kill(carrier(&mine).expect("a helper"), libc::SIGKILL);
    let (_, exit, _) = super::support::exit_of(&mut events, &app).await;
    assert_eq!(exit, Exit::Signal(libc::SIGKILL));
    mine.end().await;
}
