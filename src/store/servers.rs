//! Servers: the machines that run Heliostat.

use std::time::Duration;

use diesel::prelude::*;

use super::error::StoreError;
use super::machine::Machine;
use super::pool::Store;
use super::schema::servers;
use super::text::AsText;
use crate::config::ServerConfig;
use crate::ids::ServerId;
use crate::protocol::words::ServerStatus;

/// How long a lease runs when nobody renews it. No other server reads it from an embedded database.
pub const LEASE: Duration = Duration::from_secs(30);

/// One server.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = servers, primary_key(server_id))]
pub struct ServerRow {
    /// Its id.
    #[diesel(serialize_as = AsText<ServerId>, deserialize_as = AsText<ServerId>)]
    pub server_id: ServerId,
    /// Its region.
    pub region: String,
    /// The address of its pages.
    pub ip_address: String,
    /// The port of its pages.
    pub port: i32,
    /// Its status.
    #[diesel(serialize_as = AsText<ServerStatus>, deserialize_as = AsText<ServerStatus>)]
    pub status: ServerStatus,
    /// Instances that it can still take.
    pub available_instances: i32,
    /// Instances that it can take in all.
    pub num_instances: i32,
    /// Memory, in bytes.
    pub ram: i64,
    /// The graphics card, or `none`.
    pub graphics_card: String,
    /// Bytes free where instances keep their files.
    pub storage: i64,
    /// When it was last heard of, ms since 1970.
    pub heartbeat_at: i64,
    /// Until when others leave its instances to it, ms since 1970.
    pub lease_until: i64,
    /// The URL of its pages.
    pub url: String,
    /// Its version of Heliostat.
    pub version: String,
    /// When it was first registered, ms since 1970.
    pub created: i64,
    /// When this row last changed, ms since 1970.
    pub modified: i64,
}

impl ServerRow {
    /// The row of this server, with room for `capacity` instances and none running.
    #[must_use]
    pub fn of_this(server_id: ServerId, config: &ServerConfig, capacity: usize, machine: Machine, now: i64) -> Self {
        let capacity = i32::try_from(capacity).unwrap_or(i32::MAX);
        Self {
            server_id,
            region: config.region.clone(),
            ip_address: config.listen.ip().to_string(),
            port: config.listen.port().into(),
            status: ServerStatus::Online,
            available_instances: capacity,
            num_instances: capacity,
            ram: machine.ram,
            graphics_card: machine.graphics_card,
            storage: machine.storage,
            heartbeat_at: now,
            lease_until: now.saturating_add(i64::try_from(LEASE.as_millis()).unwrap_or(i64::MAX)),
            url: format!("{}://{}", config.scheme(), config.listen),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            created: now,
            modified: now,
        }
    }
}

impl Store {
    /// Registers a server at its first start and updates its row at later ones; `created` stays as it was.
    ///
    /// # Errors
    /// The database fails.
    pub async fn register_server(&self, server: ServerRow) -> Result<(), StoreError> {
        self.change(move |connection| {
            let known: Option<i64> = servers::table
                .find(server.server_id.to_string())
                .select(servers::created)
                .first(connection)
                .optional()?;
            match known {
                Some(created) => {
                    let target = servers::table.find(server.server_id.to_string());
                    diesel::update(target)
                        .set(ServerRow { created, ..server })
                        .execute(connection)?
                }
                None => diesel::insert_into(servers::table).values(server).execute(connection)?,
            };
            Ok(())
        })
        .await
    }

    /// Notes that a server lives, what it can still take, and until when its lease runs.
    ///
    /// # Errors
    /// The database fails.
    pub async fn heartbeat(
        &self,
        id: ServerId,
        status: ServerStatus,
        available: u32,
        now: i64,
        lease_until: i64,
    ) -> Result<(), StoreError> {
        self.change(move |connection| {
            diesel::update(servers::table.find(id.to_string()))
                .set((
                    servers::status.eq(status.as_str()),
                    servers::available_instances.eq(i32::try_from(available).unwrap_or(i32::MAX)),
                    servers::heartbeat_at.eq(now),
                    servers::lease_until.eq(lease_until),
                    servers::modified.eq(now),
                ))
                .execute(connection)?;
            Ok(())
        })
        .await
    }

    /// All servers, the oldest first.
    ///
    /// # Errors
    /// The database fails.
    pub async fn servers(&self) -> Result<Vec<ServerRow>, StoreError> {
        self.read(|connection| {
            Ok(servers::table
                .order((servers::created, servers::server_id))
                .select(ServerRow::as_select())
                .load(connection)?)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Sources};

    #[tokio::test]
    async fn this_machine_registers_itself_as_it_is_configured() {
        let folder = tempfile::tempdir().unwrap();
        let sources = Sources {
            env: [
                ("HOME".into(), "/home/someone".into()),
                ("HELIOSTAT_SERVER_REGION".into(), "north".into()),
            ]
            .into(),
            folder: folder.path().to_owned(),
            ..Sources::default()
        };
        let (config, _) = Config::load(&sources).unwrap();
        let row = ServerRow::of_this(ServerId::new(), &config.server, 3, Machine::probe(folder.path()), 1_000);
        let store = Store::open(&config.store.url, folder.path()).unwrap();
        store.register_server(row.clone()).await.unwrap();
        assert_eq!(store.servers().await.unwrap(), vec![row.clone()]);
        assert_eq!(
            (row.region.as_str(), row.url.as_str(), row.port),
            ("north", "http://127.0.0.1:8080", 8080)
        );
        assert_eq!(
            (row.available_instances, row.num_instances, row.lease_until),
            (3, 3, 31_000)
        );
    }
}
