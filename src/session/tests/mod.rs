//! Nobody ever holds, sends, sees or ends what the table of rights does not give them now: random sequences of messages
//! from everybody on several sockets, with each other's ids, while sessions are promoted and closed, the token is
//! replaced, and links are made and revoked. Real actors; connections and processes are not.

mod input;
mod model;
mod windows;
mod world;

use std::cell::Cell;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use self::world::{Tally, World};

/// What somebody does; the numbers say who, whose and where.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// A socket of a session is opened, perhaps by who has also shown the token.
    Open {
        session: usize,
        admin: bool,
    },
    /// A socket is gone.
    Close {
        socket: usize,
    },
    /// A socket says that it is the viewer of another.
    Hello {
        socket: usize,
        whose: usize,
    },
    /// A socket asks to watch, perhaps taking over another's peer.
    Watch {
        socket: usize,
        instance: usize,
        whose: Option<usize>,
    },
    Unwatch {
        socket: usize,
    },
    Offer {
        socket: usize,
    },
    /// About the peer of another.
    Candidate {
        socket: usize,
        whose: usize,
    },
    RestartIce {
        socket: usize,
        whose: usize,
    },
    Request {
        socket: usize,
    },
    Release {
        socket: usize,
    },
    Grant {
        socket: usize,
        whose: usize,
    },
    /// The token is shown for a session.
    Promote {
        session: usize,
    },
    /// A session is closed; whoever had it opens another one.
    Delete {
        session: usize,
    },
    Rotate,
    /// A session comes by a new link.
    Link {
        session: usize,
        instance: usize,
        controller: bool,
    },
    Revoke {
        link: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let (socket, whose, session, instance) = (0..12usize, 0..12usize, 0..5usize, 0..2usize);
    let any_socket = socket.clone();
    prop_oneof![
        4 => (session.clone(), prop::bool::weighted(0.3)).prop_map(|(session, admin)| Step::Open { session, admin }),
        1 => any_socket.clone().prop_map(|socket| Step::Close { socket }),
        2 => (socket.clone(), whose.clone()).prop_map(|(socket, whose)| Step::Hello { socket, whose }),
        // Two sockets of one session, with different rights, as one viewer.
        4 => prop::sample::select(vec![(2, 5), (5, 2), (0, 6), (6, 0)])
            .prop_map(|(socket, whose)| Step::Hello { socket, whose }),
        8 => (socket.clone(), instance.clone(), prop::option::weighted(0.3, whose.clone()))
            .prop_map(|(socket, instance, whose)| Step::Watch { socket, instance, whose }),
        1 => any_socket.clone().prop_map(|socket| Step::Unwatch { socket }),
        5 => any_socket.clone().prop_map(|socket| Step::Offer { socket }),
        1 => (socket.clone(), whose.clone()).prop_map(|(socket, whose)| Step::Candidate { socket, whose }),
        1 => (socket.clone(), whose.clone()).prop_map(|(socket, whose)| Step::RestartIce { socket, whose }),
        3 => any_socket.clone().prop_map(|socket| Step::Request { socket }),
        2 => any_socket.prop_map(|socket| Step::Release { socket }),
        12 => (socket, whose).prop_map(|(socket, whose)| Step::Grant { socket, whose }),
        1 => session.clone().prop_map(|session| Step::Promote { session }),
        1 => session.clone().prop_map(|session| Step::Delete { session }),
        1 => Just(Step::Rotate),
        3 => (session, instance, any::<bool>())
            .prop_map(|(session, instance, controller)| Step::Link { session, instance, controller }),
        1 => (0..8usize).prop_map(|link| Step::Revoke { link }),
    ]
}

fn holds(cases: u32, bare: bool) {
    let mut runner = TestRunner::new(Config {
        cases,
        failure_persistence: None,
        // Each try makes a host anew.
        max_shrink_iters: 200,
        ..Config::default()
    });
    let steps = prop::collection::vec(step(), 20..80);
    let all = Cell::new(Tally::default());
    let judged = runner.run(&steps, |steps| {
        actix_rt::System::new().block_on(async {
            let mut world = World::new(bare).await;
            // Everybody is there, one as an administrator, one by two sockets.
            let there = [
                (0, false),
                (1, false),
                (2, false),
                (3, false),
                (4, false),
                (2, true),
                (0, false),
            ];
            let there = there.map(|(session, admin)| Step::Open { session, admin });
            let watching = (0..there.len()).map(|socket| Step::Watch {
                socket,
                instance: 0,
                whose: None,
            });
            for step in there.into_iter().chain(watching).chain(steps) {
                world.take(step).await.map_err(TestCaseError::fail)?;
            }
            let (sum, here) = (all.get(), world.tally);
            all.set(Tally {
                answers: sum.answers + here.answers,
                handed: sum.handed + here.handed,
                put_out: sum.put_out + here.put_out,
                clicks: sum.clicks + here.clicks,
            });
            Ok(())
        })
    });
    if let Err(error) = judged {
        panic!("{error}");
    }
    let Tally {
        answers,
        handed,
        put_out,
        clicks,
    } = all.get();
    assert!(answers.min(handed).min(put_out).min(clicks) > 5, "{:?}", all.get());
}

#[test]
fn nobody_has_more_than_the_table_of_rights_gives_them_where_the_address_is_enough_to_watch() {
    holds(64, true);
}

#[test]
fn nobody_has_more_than_the_table_of_rights_gives_them_where_instances_are_watched_by_link_only() {
    holds(64, false);
}
