#![allow(missing_docs, unused_variables)]
use std::path::PathBuf; use std::time::Duration; use crate::ids::InstanceId; use crate::protocol::keeper::*;
#[derive(Clone, Debug)] pub struct KeeperOptions { pub program: PathBuf, pub dir: PathBuf, pub instance: InstanceId, pub host_absence: Duration }
#[derive(Clone, Debug)] pub struct KeeperClient;
#[derive(Clone, Debug)] pub enum KeeperEvent { Exited{role: Role, generation: u64, exit: Exit, tail: Vec<String>}, Display{role: Role, generation: u64, number: u32}, Gone }
#[derive(Debug, thiserror::Error)] #[error("x")] pub struct ProcessError;
impl ProcessError { pub fn code(&self) -> &'static str { "x" } }
impl KeeperClient {
 pub async fn spawn_or_connect(o: &KeeperOptions) -> Result<Self, ProcessError> { todo!() }
 pub async fn ensure(&self, role: &Role, spec: Spec, grace: Duration) -> Result<Started, ProcessError> { todo!() }
 pub async fn stop(&self, role: &Role, grace: Duration) -> Result<(), ProcessError> { todo!() }
 pub async fn status(&self) -> Result<Vec<RoleStatus>, ProcessError> { todo!() }
 pub async fn tail(&self, role: &Role, n: usize) -> Result<Vec<String>, ProcessError> { todo!() }
 pub async fn run(&self, role: &Role, spec: Spec, t: Duration) -> Result<(Exit, Vec<String>), ProcessError> { todo!() }
 pub async fn end(&self, g: Duration) -> Result<(), ProcessError> { todo!() }
 pub fn events(&self) -> tokio::sync::broadcast::Receiver<KeeperEvent> { todo!() }
 pub async fn gone(&self) { todo!() }
}
pub struct SweepReport { pub adoptable: Vec<InstanceId>, pub swept: Vec<InstanceId> }
pub fn sweep(instances: &std::path::Path) -> SweepReport { todo!() }
