//! Asks STUN servers for the public address of this host, again and again: it may change, and who is asked may be away.
//!
//! ```text
//!            answer                              no answer
//!   known ─────────────▶ known, asked again    ┌───────────▶ the next server, after 2 s, 4 s, … 60 s
//!     ▲                  after 60 s ───────────┤             (what was known stays)
//!     └────────────────────────────────────────┴──────────── answer
//! ```

use std::future::Future;
use std::net::IpAddr;
use std::time::Duration;

use super::probe::ProbeError;
use super::public_address::PublicAddresses;
use crate::config::IceUrl;

/// After an answer. It costs a datagram.
const AGAIN: Duration = Duration::from_secs(60);
/// After the first question without an answer; twice as long after each further one, up to [`AGAIN`].
const SOON: Duration = Duration::from_secs(2);

/// How asking goes: the decisions, without a clock or a network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asking {
    /// Questions in a row without an answer.
    failures: u32,
}

impl Asking {
    /// How it goes on where somebody has asked before, and now knows this much.
    #[must_use]
    pub const fn going_on(known: &[IpAddr]) -> Self {
        Self {
            failures: known.is_empty() as u32,
        }
    }

    /// Which of so many servers is asked next: another one after each failure.
    #[must_use]
    pub const fn turn(&self, servers: usize) -> usize {
        match servers {
            0 => 0,
            many => self.failures as usize % many,
        }
    }

    /// When to ask again.
    #[must_use]
    pub fn again_after(&self) -> Duration {
        match self.failures {
            0 => AGAIN,
            n => SOON.saturating_mul(1 << (n - 1).min(16)).min(AGAIN),
        }
    }

    /// A server has seen these addresses; gives what is known now. A family that it did not see may have failed for a
    /// moment: what is known of it stays.
    #[must_use]
    pub fn answered(&mut self, known: &[IpAddr], seen: &[IpAddr]) -> Vec<IpAddr> {
        self.failures = 0;
        let kept = known
            .iter()
            .filter(|old| !seen.iter().any(|new| new.is_ipv4() == old.is_ipv4()));
        let mut now: Vec<IpAddr> = seen.iter().chain(kept).copied().collect();
        now.sort_unstable();
        now.dedup();
        now
    }

    /// No server has answered; gives whether that is news.
    #[must_use]
    pub const fn failed(&mut self) -> bool {
        self.failures = self.failures.saturating_add(1);
        self.failures == 1
    }
}

/// Asks one of the servers now, and says what came of it where that is news.
pub async fn once<A, F>(asking: &mut Asking, known: &PublicAddresses, servers: &[IceUrl], ask: &A)
where
    A: Fn(IceUrl) -> F,
    F: Future<Output = Result<Vec<IpAddr>, ProbeError>>,
{
    let Some(server) = servers.get(asking.turn(servers.len())) else {
        return;
    };
    match ask(server.clone()).await {
        Ok(seen) => {
            let before = known.now();
            let now = asking.answered(&before, &seen);
            if now != before {
                log::info!("public addresses {now:?}, as {server} sees them; before: {before:?}");
                known.become_these(now);
            }
        }
        Err(error) if asking.failed() => {
            log::warn!(
                "no public address from {server}, code={}: {error}; asking again",
                error.code()
            );
        }
        Err(error) => log::debug!("still no public address from {server}: {error}"),
    }
}

/// Goes on asking for ever.
pub async fn keep<A, F>(known: &PublicAddresses, servers: &[IceUrl], ask: A)
where
    A: Fn(IceUrl) -> F,
    F: Future<Output = Result<Vec<IpAddr>, ProbeError>>,
{
    let mut asking = Asking::going_on(&known.now());
    loop {
        tokio::time::sleep(asking.again_after()).await;
        once(&mut asking, known, servers, &ask).await;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};
    use tokio::time::Instant;

    use super::*;

    fn addresses(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn servers() -> Vec<IceUrl> {
        ["stun:a.example", "stun:b.example"]
            .map(|url| url.parse().unwrap())
            .to_vec()
    }

    /// Who was asked, and how many seconds after the beginning.
    type Asked = Rc<RefCell<Vec<(String, u64)>>>;

    /// Asks for so long, of servers that answer with the next of these each time, and with nothing in the end.
    async fn asked_for(seconds: u64, known: &PublicAddresses, answers: &[Option<&str>]) -> Vec<(String, u64)> {
        let began = Instant::now();
        let asked = Asked::default();
        let ask = |server: IceUrl| {
            let nth = asked.borrow().len();
            asked.borrow_mut().push((server.to_string(), began.elapsed().as_secs()));
            let answer = answers.get(nth).copied().flatten();
            let answer = answer.map(|text| addresses(&[text])).ok_or(ProbeError::NoAnswer(3));
            async move { answer }
        };
        let all = tokio::time::timeout(Duration::from_secs(seconds), keep(known, &servers(), ask)).await;
        assert!(all.is_err(), "it never ends");
        asked.borrow().clone()
    }

    fn at(server: &str, second: u64) -> (String, u64) {
        (format!("stun:{server}.example:3478"), second)
    }

    #[tokio::test(start_paused = true)]
    async fn a_first_question_without_an_answer_is_asked_of_the_next_server_soon() {
        let known = PublicAddresses::default();
        let asked = asked_for(20, &known, &[None, Some("192.0.2.7")]).await;
        assert_eq!(asked, [at("b", 2), at("a", 6)]);
        assert_eq!(known.now(), addresses(&["192.0.2.7"]));
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_changes_is_found_within_a_minute_and_who_was_asked_before_is_asked_again() {
        let known = PublicAddresses::from(addresses(&["192.0.2.7"]));
        let asked = asked_for(130, &known, &[Some("192.0.2.7"), Some("192.0.2.8")]).await;
        assert_eq!(asked, [at("a", 60), at("a", 120)]);
        assert_eq!(known.now(), addresses(&["192.0.2.8"]));
    }

    #[tokio::test(start_paused = true)]
    async fn servers_that_are_away_cost_nothing_that_is_known_and_are_asked_less_and_less() {
        let known = PublicAddresses::from(addresses(&["192.0.2.7"]));
        let asked = asked_for(250, &known, &[]).await;
        let when: Vec<u64> = asked.iter().map(|(_, second)| *second).collect();
        assert_eq!(when, [60, 62, 66, 74, 90, 122, 182, 242]);
        assert_eq!(known.now(), addresses(&["192.0.2.7"]));
    }

    #[test]
    fn only_the_first_failure_in_a_row_is_news() {
        let mut asking = Asking::default();
        assert_eq!([asking.failed(), asking.failed()], [true, false]);
        let _ = asking.answered(&[], &[]);
        assert!(asking.failed());
    }

    #[test]
    fn a_family_that_was_not_seen_keeps_its_address() {
        let both = addresses(&["192.0.2.7", "2001:db8::7"]);
        let mut asking = Asking::default();
        assert_eq!(
            asking.answered(&both, &addresses(&["2001:db8::8"])),
            addresses(&["192.0.2.7", "2001:db8::8"])
        );
        assert_eq!(asking.answered(&both, &[]), both);
    }

    proptest! {
        #[test]
        fn the_next_question_is_never_far_nor_at_once(failures in 0u32..u32::MAX, servers in 0usize..9) {
            let asking = Asking { failures };
            prop_assert!(asking.again_after() >= SOON && asking.again_after() <= AGAIN);
            prop_assert!(asking.turn(servers) < servers.max(1));
        }

        #[test]
        fn the_same_answer_is_no_change(seen in proptest::collection::vec(proptest::prelude::any::<IpAddr>(), 0..4)) {
            let mut asking = Asking::default();
            let known = asking.answered(&[], &seen);
            prop_assert_eq!(asking.answered(&known, &seen), known);
        }
    }
}
