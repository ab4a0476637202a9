//! How an actix actor lives as a child.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use actix::{Actor, AsyncContext, Context};
use futures::FutureExt;

use super::child_spec::Life;
use super::context::ChildContext;
use super::exit::ExitReason;
use super::inbox::inbox;
use super::reference::ChildRef;

/// The lives of an actor that is made by `make` at each start.
pub(super) fn life<A, F>(reference: ChildRef<A>, make: F) -> impl Fn(ChildContext) -> Life + Send + Sync + 'static
where
    A: Actor<Context = Context<A>>,
    F: Fn(&ChildContext) -> A + Send + Sync + 'static,
{
    let make = Arc::new(make);
    move |context| {
        let (reference, make) = (reference.clone(), Arc::clone(&make));
        Box::pin(async move {
            let actor = make(&context);
            let mut actix = Context::new();
            let (letterbox, inbox) = inbox();
            actix.spawn(inbox);
            context.set_mailbox(letterbox.gauge());
            let published = reference.publish(letterbox, context.generation());
            run(actix, actor, &context).await;
            drop(published);
            let default = if context.is_stopping() {
                ExitReason::Shutdown
            } else {
                ExitReason::Normal
            };
            context.exit_cell().get().unwrap_or(default)
        })
    }
}

/// Runs the actor until it ends or is to end. Its panic is caught right here, so that it is not dropped while
/// unwinding: `stopping` and `stopped` run in that drop, and a second panic there would abort the whole process.
async fn run<A: Actor<Context = Context<A>>>(actix: Context<A>, actor: A, context: &ChildContext) {
    let mut body = Box::pin(AssertUnwindSafe(actix.into_future(actor)).catch_unwind());
    let outcome = tokio::select! {
        outcome = &mut body => outcome,
        () = context.stopping() => Ok(()),
    };
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(body)));
    for payload in [outcome, dropped].into_iter().filter_map(Result::err) {
        context.exit_cell().set(ExitReason::from_panic(payload.as_ref()));
    }
}
