use super::*;
use crate::ids::InstanceId;
use crate::store::{NewInstance, ServerRow};

/// A database with this server and one instance of every status, none of which has ended.
async fn one_of_each(folder: &std::path::Path, server: ServerId) -> (Store, Vec<(InstanceStatus, InstanceId)>) {
    let store = Store::open("sqlite:heliostat.db", folder).unwrap();
    let row = ServerRow {
        server_id: server,
        region: "local".into(),
        ip_address: "127.0.0.1".into(),
        port: 8080,
        status: crate::protocol::words::ServerStatus::Online,
        available_instances: 2,
        num_instances: 2,
        ram: 1,
        graphics_card: "none".into(),
        storage: 1,
        heartbeat_at: 1,
        lease_until: 1,
        url: "http://127.0.0.1:8080".into(),
        version: "0.1.0".into(),
        created: 1,
        modified: 1,
    };
    store.register_server(row).await.unwrap();
    let mut all = Vec::new();
    for status in InstanceStatus::ALL {
        let instance_id = InstanceId::new();
        let new = NewInstance {
            instance_id,
            session_id: crate::ids::SessionId::new(),
            server_id: server,
            app: "orrery".into(),
            width: 1280,
            height: 720,
            fps: 60,
            created: 1,
        };
        store.insert_instance(new).await.unwrap();
        let reason = match status {
            InstanceStatus::Deinitializing | InstanceStatus::Terminated => Some("idle"),
            InstanceStatus::Failed => Some("crash_loop"),
            _ => None,
        };
        let change = StatusChange {
            status: *status,
            reason: reason.map(str::to_owned),
            message: reason.map(|word| format!("because of {word}")),
            output: vec!["last words".into()],
            restarts: 3,
            modified: 2,
            ended: None,
        };
        store.update_instance(instance_id, change).await.unwrap();
        all.push((*status, instance_id));
    }
    (store, all)
}

#[tokio::test]
async fn every_row_whose_instance_is_gone_ends_once_as_what_it_was() {
    let (folder, server) = (tempfile::tempdir().unwrap(), ServerId::new());
    let (store, all) = one_of_each(folder.path(), server).await;
    assert!(
        settle_rows(&store, server, &SweepReport::default())
            .await
            .unwrap()
            .is_empty()
    );
    let mut first = Vec::new();
    for (was, id) in &all {
        let row = store.instance(*id).await.unwrap().unwrap();
        let expected = match was {
            InstanceStatus::Idle
            | InstanceStatus::Initializing
            | InstanceStatus::Running
            | InstanceStatus::Restarting => (InstanceStatus::Failed, "host_lost"),
            InstanceStatus::Failed => (InstanceStatus::Failed, "crash_loop"),
            InstanceStatus::Deinitializing | InstanceStatus::Terminated => (InstanceStatus::Terminated, "idle"),
        };
        assert_eq!(
            (row.status, row.exit_reason.as_deref()),
            (expected.0, Some(expected.1)),
            "{was}"
        );
        assert!(row.ended.is_some() && row.message.is_some(), "{was}");
        assert_eq!(
            (row.output_lines(), row.restarts),
            (vec!["last words".to_owned()], 3),
            "{was}"
        );
        first.push(row);
    }
    // A host after that finds nothing to settle.
    assert!(
        settle_rows(&store, server, &SweepReport::default())
            .await
            .unwrap()
            .is_empty()
    );
    for row in first {
        assert_eq!(store.instance(row.instance_id).await.unwrap().unwrap(), row);
    }
}

#[tokio::test]
async fn the_rows_of_what_lives_and_of_other_servers_are_left_as_they_are() {
    let (folder, server) = (tempfile::tempdir().unwrap(), ServerId::new());
    let (store, all) = one_of_each(folder.path(), server).await;
    let (_, running) = all.iter().find(|(was, _)| *was == InstanceStatus::Running).unwrap();
    assert!(
        settle_rows(&store, ServerId::new(), &SweepReport::default())
            .await
            .unwrap()
            .is_empty()
    );
    let found = SweepReport {
        adoptable: vec![*running],
        ..SweepReport::default()
    };
    let living = settle_rows(&store, server, &found).await.unwrap();
    assert_eq!(living.len(), 1);
    assert_eq!(
        (living[0].instance_id, living[0].status),
        (*running, InstanceStatus::Running)
    );
    assert_eq!(store.instance(*running).await.unwrap().unwrap().ended, None);
}

#[tokio::test]
async fn what_was_ended_with_a_keeper_of_another_version_says_so() {
    let (folder, server) = (tempfile::tempdir().unwrap(), ServerId::new());
    let (store, all) = one_of_each(folder.path(), server).await;
    let replaced: Vec<_> = all.iter().map(|(_, id)| *id).collect();
    let found = SweepReport {
        swept: replaced.clone(),
        replaced,
        ..SweepReport::default()
    };
    settle_rows(&store, server, &found).await.unwrap();
    for (was, id) in all {
        let row = store.instance(id).await.unwrap().unwrap();
        let lived = matches!(
            was,
            InstanceStatus::Initializing | InstanceStatus::Running | InstanceStatus::Restarting
        );
        assert_eq!(row.exit_reason.as_deref() == Some("wrong_version"), lived, "{was}");
    }
}

#[tokio::test]
async fn a_row_of_a_clock_that_was_ahead_is_settled_too() {
    let (folder, server) = (tempfile::tempdir().unwrap(), ServerId::new());
    let (store, all) = one_of_each(folder.path(), server).await;
    let (_, id) = all[0];
    let ahead = unix_ms() + 3_600_000;
    let change = StatusChange {
        status: InstanceStatus::Running,
        reason: None,
        message: None,
        output: Vec::new(),
        restarts: 0,
        modified: ahead,
        ended: None,
    };
    store.update_instance(id, change).await.unwrap();
    settle_rows(&store, server, &SweepReport::default()).await.unwrap();
    let row = store.instance(id).await.unwrap().unwrap();
    assert_eq!((row.status, row.ended), (InstanceStatus::Failed, Some(ahead)));
}
