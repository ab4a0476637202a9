//! What the kernel takes for granted of actix 0.13. An upgrade that changes one of these fails here.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use actix::dev::ContextFutureSpawner;
use actix::prelude::*;
use actix_rt::task::JoinHandle;

use super::puppet::{Diary, run, secs, settle};

/// An actor that notes what becomes of it.
struct Subject {
    diary: Diary,
    panics: &'static str,
}

impl Actor for Subject {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        assert!(self.panics != "started", "in started");
    }

    fn stopping(&mut self, _: &mut Self::Context) -> Running {
        self.diary.note("stopping");
        Running::Stop
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.diary.note("stopped");
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        self.diary.note("dropped");
    }
}

type Deed = Box<dyn FnOnce(&mut Subject, &mut Context<Subject>) + Send>;

#[derive(Message)]
#[rtype(result = "()")]
struct Do(Deed);

impl Handler<Do> for Subject {
    type Result = ();

    fn handle(&mut self, Do(deed): Do, ctx: &mut Context<Self>) {
        deed(self, ctx);
    }
}

fn deed(deed: impl FnOnce(&mut Subject, &mut Context<Subject>) + Send + 'static) -> Do {
    Do(Box::new(deed))
}

/// Answers later, from a task that actix makes of it.
#[derive(Message)]
#[rtype(result = "()")]
struct Later(Diary, bool);

impl Handler<Later> for Subject {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, Later(diary, panics): Later, _: &mut Context<Self>) -> Self::Result {
        Box::pin(async move {
            tokio::time::sleep(secs(1)).await;
            assert!(!panics, "in a response");
            diary.note("answered");
        })
    }
}

/// An actor as a task of ours.
fn spawn(panics: &'static str) -> (Addr<Subject>, JoinHandle<()>, Diary) {
    let (ctx, diary) = (Context::new(), Diary::default());
    let addr = ctx.address();
    let subject = Subject {
        diary: diary.clone(),
        panics,
    };
    (addr, actix_rt::spawn(ctx.into_future(subject)), diary)
}

#[test]
fn a_stop_is_ok_and_runs_the_hooks() {
    run(async {
        let (addr, task, diary) = spawn("");
        addr.do_send(deed(|_, ctx| ctx.stop()));
        assert!(task.await.is_ok());
        assert_eq!(diary.take(), "stopping stopped dropped");
    });
}

#[test]
fn a_panic_in_started_in_a_handler_or_in_a_spawned_future_reaches_the_join_handle() {
    run(async {
        let message = |task: JoinHandle<()>| async {
            let payload = task.await.unwrap_err().into_panic();
            payload
                .downcast_ref::<&str>()
                .map_or_else(String::new, |s| (*s).to_owned())
        };
        let (_addr, task, _) = spawn("started");
        assert_eq!(message(task).await, "in started");
        let (addr, task, diary) = spawn("");
        addr.do_send(deed(|_, _| panic!("in a handler")));
        assert_eq!(message(task).await, "in a handler");
        assert!(
            diary.take().ends_with("stopped dropped"),
            "the hooks run while unwinding"
        );
        let (addr, task, _) = spawn("");
        addr.do_send(deed(|_, ctx| async { panic!("in a future") }.into_actor_spawn(ctx)));
        assert_eq!(message(task).await, "in a future");
    });
}

/// `ctx.spawn` of a plain future.
trait IntoActorSpawn {
    fn into_actor_spawn(self, ctx: &mut Context<Subject>);
}

impl<F: Future<Output = ()> + 'static> IntoActorSpawn for F {
    fn into_actor_spawn(self, ctx: &mut Context<Subject>) {
        actix::fut::wrap_future::<_, Subject>(self).spawn(ctx);
    }
}

#[test]
fn an_abort_ends_an_actor_even_in_a_wait_and_the_hooks_run() {
    run(async {
        let (addr, task, diary) = spawn("");
        addr.do_send(deed(|_, ctx| ctx.wait(actix::fut::wrap_future(std::future::pending()))));
        settle().await;
        let abort = task.abort_handle();
        std::thread::spawn(move || abort.abort()).join().unwrap();
        assert!(task.await.unwrap_err().is_cancelled());
        assert_eq!(diary.take(), "stopping stopped dropped");
    });
}

#[test]
fn a_response_future_is_a_task_of_its_own_whose_panic_nobody_sees_and_that_outlives_an_abort() {
    run(async {
        let (addr, task, diary) = spawn("");
        addr.do_send(Later(diary.clone(), true));
        tokio::time::sleep(secs(2)).await;
        assert!(!task.is_finished(), "its panic does not reach the actor");
        addr.do_send(Later(diary.clone(), false));
        settle().await;
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        tokio::time::sleep(secs(2)).await;
        assert!(diary.take().ends_with("dropped answered"));
    });
}

#[test]
fn a_dropped_join_handle_detaches() {
    run(async {
        let (addr, task, diary) = spawn("");
        drop(task);
        settle().await;
        addr.send(deed(|_, _| ())).await.unwrap();
        assert_eq!(diary.take(), "", "it lives on");
    });
}

#[test]
fn an_actor_ends_with_its_last_address() {
    run(async {
        let (addr, task, diary) = spawn("");
        settle().await;
        drop(addr);
        assert!(task.await.is_ok());
        assert_eq!(diary.take(), "stopping stopped dropped");
    });
}

#[test]
fn messages_to_a_dead_actor_are_lost_silently_or_refused() {
    run(async {
        let (addr, task, diary) = spawn("");
        addr.do_send(deed(|_, ctx| ctx.stop()));
        let note = diary.clone();
        addr.do_send(deed(move |_, _| note.note("handled after the stop")));
        task.await.unwrap();
        addr.do_send(deed(|_, _| ()));
        assert!(matches!(addr.send(deed(|_, _| ())).await, Err(MailboxError::Closed)));
        assert!(!addr.connected());
        assert_eq!(diary.take(), "stopping stopped dropped");
    });
}

#[test]
fn the_mailbox_has_no_real_bound() {
    run(async {
        let (addr, _task, _) = spawn("");
        addr.do_send(deed(|_, ctx| {
            ctx.wait(actix::fut::wrap_future(tokio::time::sleep(secs(9))))
        }));
        settle().await;
        let handled = Arc::new(AtomicU32::new(0));
        for _ in 0..5_000 {
            let handled = Arc::clone(&handled);
            addr.do_send(deed(move |_, _| {
                handled.fetch_add(1, Ordering::Relaxed);
            }));
        }
        let refused = (0..2).any(|_| addr.try_send(deed(|_, _| ())).is_err());
        assert!(refused, "an address that has tried before is refused");
        assert!(addr.clone().try_send(deed(|_, _| ())).is_ok(), "a fresh clone is not");
        tokio::time::sleep(secs(10)).await;
        assert_eq!(handled.load(Ordering::Relaxed), 5_000, "and all is taken");
    });
}

#[test]
fn a_wait_freezes_the_actor_and_a_spawn_does_not() {
    run(async {
        let (addr, _task, _) = spawn("");
        addr.do_send(deed(|_, ctx| std::future::pending::<()>().into_actor_spawn(ctx)));
        assert!(tokio::time::timeout(secs(1), addr.send(deed(|_, _| ()))).await.is_ok());
        addr.do_send(deed(|_, ctx| ctx.wait(actix::fut::wrap_future(std::future::pending()))));
        assert!(
            tokio::time::timeout(secs(60), addr.send(deed(|_, _| ())))
                .await
                .is_err()
        );
    });
}

/// Counts its starts, and panics or stops where it is told.
struct Phoenix(Arc<AtomicU32>, u32);

impl Actor for Phoenix {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Supervised for Phoenix {}

#[derive(Message)]
#[rtype(result = "u32")]
struct Burn(&'static str);

impl Handler<Burn> for Phoenix {
    type Result = u32;

    fn handle(&mut self, Burn(how): Burn, ctx: &mut Context<Self>) -> u32 {
        self.1 += 1;
        match how {
            "stop" => ctx.stop(),
            "panic" => panic!("as told"),
            _ => {}
        }
        self.1
    }
}

#[test]
fn actix_own_supervisor_keeps_the_struct_and_restarts_after_a_stop_but_not_after_a_panic() {
    run(async {
        let starts = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&starts);
        let addr = Supervisor::start(move |_| Phoenix(count, 0));
        assert_eq!(addr.send(Burn("stop")).await.unwrap(), 1);
        settle().await;
        assert_eq!(
            addr.send(Burn("")).await.unwrap(),
            2,
            "the same struct, with what it was left with"
        );
        assert_eq!(starts.load(Ordering::Relaxed), 2);
        addr.do_send(Burn("panic"));
        settle().await;
        assert!(addr.send(Burn("")).await.is_err(), "gone for ever");
        assert_eq!(starts.load(Ordering::Relaxed), 2);
    });
}

/// A thread of a pool that panics.
struct Worker;

impl Actor for Worker {
    type Context = SyncContext<Self>;
}

impl Handler<Burn> for Worker {
    type Result = u32;

    fn handle(&mut self, Burn(how): Burn, _: &mut SyncContext<Self>) -> u32 {
        assert!(how != "panic", "as told");
        1
    }
}

#[test]
fn a_sync_worker_that_panics_is_not_replaced() {
    // On real time: its threads do not know of ours.
    System::new().block_on(async {
        let pool = SyncArbiter::start(1, || Worker);
        assert_eq!(pool.send(Burn("")).await.unwrap(), 1);
        assert!(pool.send(Burn("panic")).await.is_err());
        let answer = tokio::time::timeout(secs(20), pool.send(Burn(""))).await;
        assert!(!matches!(answer, Ok(Ok(_))), "the pool is dead");
    });
}
