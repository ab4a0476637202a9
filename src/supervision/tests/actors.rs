//! Actors as children: a doll that does as it is told, and panics wherever an actor can.

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message, StreamHandler};

use super::*;
use crate::supervision::{ChildContext, ChildRef, ExitReason};

/// Answers its generation.
pub struct Doll {
    pub context: ChildContext,
}

pub fn doll(id: &'static str, restart: Restart, reference: &ChildRef<Doll>) -> ChildSpec {
    ChildSpec::actor(id, restart, reference.clone(), |cx| Doll { context: cx.clone() })
}

impl Actor for Doll {
    type Context = Context<Self>;
}

/// End with this reason; a panic really panics.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Exit(pub ExitReason);

impl Handler<Exit> for Doll {
    type Result = ();

    fn handle(&mut self, Exit(reason): Exit, ctx: &mut Context<Self>) {
        match reason {
            ExitReason::Panic { message } => panic!("{message}"),
            ExitReason::Normal => ctx.stop(),
            reason => {
                self.context.exit_cell().set(reason);
                ctx.stop();
            }
        }
    }
}

/// Asks for the generation.
#[derive(Message)]
#[rtype(result = "u64")]
pub struct Ping;

impl Handler<Ping> for Doll {
    type Result = u64;

    fn handle(&mut self, _: Ping, _: &mut Context<Self>) -> u64 {
        self.context.generation()
    }
}

type Deed = Box<dyn FnOnce(&mut Doll, &mut Context<Doll>) + Send>;

/// Runs the closure within the actor.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Call(Deed);

impl Call {
    pub fn new(call: impl FnOnce(&mut Doll, &mut Context<Doll>) + Send + 'static) -> Self {
        Self(Box::new(call))
    }
}

impl Handler<Call> for Doll {
    type Result = ();

    fn handle(&mut self, Call(call): Call, ctx: &mut Context<Self>) {
        call(self, ctx);
    }
}

/// Panics in its first life where it is told to; afterwards it is well.
struct Clumsy {
    place: &'static str,
    first: bool,
}

impl Clumsy {
    fn at(&self, place: &str) {
        assert!(!(self.first && self.place.contains(place)), "in {place}");
    }
}

impl Actor for Clumsy {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.at("started");
        ctx.add_stream(futures::stream::iter([()]));
        ctx.run_later(secs(1), |act, ctx| {
            act.at("timer");
            if act.first {
                ctx.stop();
            }
        });
        ctx.spawn(actix::fut::wrap_future::<_, Self>(async {}).map(|(), act, _| act.at("future")));
    }

    fn stopping(&mut self, _: &mut Self::Context) -> actix::Running {
        self.at("stopping");
        actix::Running::Stop
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.at("stopped");
    }
}

impl StreamHandler<()> for Clumsy {
    fn handle(&mut self, (): (), _: &mut Self::Context) {
        self.at("stream");
    }

    fn finished(&mut self, _: &mut Self::Context) {}
}

use actix::ActorFutureExt;

/// The exit of an actor that panics there, and that its next life goes on.
fn exit_of(place: &'static str) -> ExitReason {
    run(async {
        let (diary, reference) = (Diary::default(), ChildRef::<Clumsy>::new());
        let clumsy = ChildSpec::actor("clumsy", Restart::Permanent, reference, move |cx| Clumsy {
            place,
            first: cx.generation() == 1,
        });
        let bystander = Puppet::new("bystander", &diary);
        let spec = lenient(Strategy::OneForOne).child(clumsy);
        let tree = Tree::start(spec.child(bystander.spec(Restart::Permanent, Manners::Polite)));
        tokio::time::sleep(secs(30)).await;
        let seen = tree.view().snapshot().find("clumsy").unwrap().clone();
        assert_eq!(seen.generation, 2, "{place}");
        assert_eq!(bystander.generation(), Some(1), "{place}: the arbiter goes on");
        assert!(tree.shutdown(secs(5)).await);
        seen.last_exit.unwrap().reason
    })
}

#[test]
fn a_panic_anywhere_in_an_actor_is_its_exit_and_nobody_elses() {
    for place in ["started", "stream", "future", "timer", "stopping", "stopped"] {
        let message = format!("in {place}");
        assert_eq!(exit_of(place), ExitReason::Panic { message });
    }
}

#[test]
fn a_second_panic_while_stopping_does_not_abort_the_process_and_the_first_is_told() {
    for (both, first) in [("timer stopping", "in timer"), ("stream stopped", "in stream")] {
        let message = first.to_owned();
        assert_eq!(exit_of(both), ExitReason::Panic { message });
    }
}

#[test]
fn an_actor_stuck_in_a_wait_is_stopped_all_the_same_and_can_be_failed_from_another_thread() {
    run(async {
        let reference = ChildRef::<Doll>::new();
        let tree = Tree::start(lenient(Strategy::OneForOne).child(doll("a", Restart::Permanent, &reference)));
        settle().await;
        let (give, given) = tokio::sync::oneshot::channel();
        let stuck = |ctx: &mut Context<Doll>| ctx.wait(actix::fut::wrap_future(std::future::pending()));
        let call = Call::new(move |doll, ctx| {
            let _ = give.send(doll.context.clone());
            stuck(ctx);
        });
        reference.tell(call).unwrap();
        let context = given.await.unwrap();
        std::thread::spawn(move || context.fail(failure())).join().unwrap();
        settle().await;
        let seen = tree.view().snapshot().find("a").unwrap().clone();
        assert_eq!((seen.generation, seen.last_exit.unwrap().reason), (2, failure()));
        reference.tell(Call::new(move |_, ctx| stuck(ctx))).unwrap();
        settle().await;
        let from = tokio::time::Instant::now();
        assert!(tree.shutdown(secs(15)).await);
        assert_eq!(from.elapsed().as_secs(), 0);
    });
}
