//! What the exit of one child means for its siblings. Pure: children × exiting child → plan.

use serde::Serialize;

use super::child_spec::Restart;

/// Which children are restarted together with one that has to be restarted (OTP `strategy`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Only the one.
    OneForOne,
    /// The one and all that were started after it.
    RestForOne,
    /// All.
    OneForAll,
}

impl Strategy {
    /// Whether a child may not be started while an earlier sibling still waits for its own start.
    #[must_use]
    pub const fn starts_in_turn(self) -> bool {
        !matches!(self, Self::OneForOne)
    }
}

/// What the plan must know of a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChildView {
    /// Its restart type.
    pub restart: Restart,
    /// What it is doing.
    pub activity: Activity,
}

/// What a child is doing, as far as a plan cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// Alive.
    Running,
    /// Waiting for its start.
    Waiting,
    /// Ended by itself and not restarted on its own account: comes back with its group, as in OTP.
    Ended,
    /// Stopped by hand, or given up: only a request brings it back.
    Withdrawn,
}

/// What to do, in this order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// Children to stop one after the other: reverse start order.
    pub stop: Vec<usize>,
    /// Children to start one after the other: start order.
    pub start: Vec<usize>,
}

/// The plan for the exit of child `exiting`, which has to be restarted. `children` are in start order. Temporary
/// siblings in the group are stopped and stay so.
#[must_use]
pub fn plan(strategy: Strategy, children: &[ChildView], exiting: usize) -> Plan {
    let in_group = |i: usize| match strategy {
        Strategy::OneForOne => i == exiting,
        Strategy::RestForOne => i >= exiting,
        Strategy::OneForAll => true,
    };
    let stop = (0..children.len())
        .rev()
        .filter(|&i| i != exiting && in_group(i) && children[i].activity == Activity::Running)
        .collect();
    let start = (0..children.len())
        .filter(|&i| {
            i == exiting
                || (in_group(i)
                    && children[i].restart != Restart::Temporary
                    && children[i].activity != Activity::Withdrawn)
        })
        .collect();
    Plan { stop, start }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{Just, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
    use proptest::strategy::Strategy as Generator;

    fn running(count: usize) -> Vec<ChildView> {
        let child = ChildView {
            restart: Restart::Permanent,
            activity: Activity::Running,
        };
        vec![child; count]
    }

    fn plan_of(strategy: Strategy, exiting: usize) -> (Vec<usize>, Vec<usize>) {
        let plan = plan(strategy, &running(3), exiting);
        (plan.stop, plan.start)
    }

    #[test]
    fn one_for_one_touches_no_sibling() {
        for exiting in 0..3 {
            assert_eq!(plan_of(Strategy::OneForOne, exiting), (vec![], vec![exiting]));
        }
    }

    #[test]
    fn rest_for_one_takes_the_later_siblings_along() {
        assert_eq!(plan_of(Strategy::RestForOne, 0), (vec![2, 1], vec![0, 1, 2]));
        assert_eq!(plan_of(Strategy::RestForOne, 1), (vec![2], vec![1, 2]));
        assert_eq!(plan_of(Strategy::RestForOne, 2), (vec![], vec![2]));
    }

    #[test]
    fn one_for_all_takes_every_sibling_along() {
        assert_eq!(plan_of(Strategy::OneForAll, 0), (vec![2, 1], vec![0, 1, 2]));
        assert_eq!(plan_of(Strategy::OneForAll, 1), (vec![2, 0], vec![0, 1, 2]));
        assert_eq!(plan_of(Strategy::OneForAll, 2), (vec![1, 0], vec![0, 1, 2]));
    }

    fn any_child() -> impl Generator<Value = ChildView> {
        (
            prop_oneof![
                Just(Restart::Permanent),
                Just(Restart::Transient),
                Just(Restart::Temporary)
            ],
            prop_oneof![
                Just(Activity::Running),
                Just(Activity::Waiting),
                Just(Activity::Ended),
                Just(Activity::Withdrawn)
            ],
        )
            .prop_map(|(restart, activity)| ChildView { restart, activity })
    }

    fn any_strategy() -> impl Generator<Value = Strategy> {
        prop_oneof![
            Just(Strategy::OneForOne),
            Just(Strategy::RestForOne),
            Just(Strategy::OneForAll)
        ]
    }

    proptest! {
        #[test]
        fn stops_are_in_reverse_order_starts_in_order_and_nobody_runs_twice(
            strategy in any_strategy(), children in prop::collection::vec(any_child(), 1..12), pick: prop::sample::Index,
        ) {
            let exiting = pick.index(children.len());
            let plan = plan(strategy, &children, exiting);
            prop_assert!(plan.stop.windows(2).all(|w| w[0] > w[1]));
            prop_assert!(plan.start.windows(2).all(|w| w[0] < w[1]));
            prop_assert!(plan.start.contains(&exiting) && !plan.stop.contains(&exiting));
            for &i in &plan.stop {
                prop_assert_eq!(children[i].activity, Activity::Running);
            }
            for &i in plan.start.iter().filter(|&&i| i != exiting) {
                let alive = children[i].activity == Activity::Running;
                prop_assert!(!alive || plan.stop.contains(&i), "{} would run twice", i);
                prop_assert!(children[i].activity != Activity::Withdrawn);
                prop_assert!(children[i].restart != Restart::Temporary);
            }
        }

        #[test]
        fn a_wider_strategy_never_touches_less(
            children in prop::collection::vec(any_child(), 1..12), pick: prop::sample::Index,
        ) {
            let exiting = pick.index(children.len());
            let [one, rest, all] = [Strategy::OneForOne, Strategy::RestForOne, Strategy::OneForAll]
                .map(|s| plan(s, &children, exiting));
            prop_assert!(one.stop.iter().all(|i| rest.stop.contains(i)) && rest.stop.iter().all(|i| all.stop.contains(i)));
            prop_assert!(one.start.iter().all(|i| rest.start.contains(i)) && rest.start.iter().all(|i| all.start.contains(i)));
        }
    }
}
