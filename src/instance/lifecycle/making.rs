//! Makes an instance of its specification: the one place that knows which sources there are.

use std::sync::Arc;

use nix::unistd::{getegid, geteuid};

use crate::config::{AppEntry, Home};
use crate::desktop::{self, DesktopParts, DesktopShared, Layout};
use crate::instance::feed::Feed;
use crate::instance::services::Services;
use crate::instance::shared::InstanceShared;
use crate::instance::spec::{InstanceSpec, LaunchError, SourceSpec};
use crate::media::{Hub, Ladder};
use crate::process::{KeeperOptions, SizedFolder};
use crate::protocol::keeper::User;
use crate::sandbox::Confinement;

/// Folders, files and the shared state of an instance with its source. `fresh`: it is not one that runs already, whatever
/// its home holds by now. Blocks.
///
/// # Errors
/// [`LaunchError`].
pub(in crate::instance) fn make(
    services: &Arc<Services>,
    spec: &InstanceSpec,
    fresh: bool,
) -> Result<Arc<InstanceShared>, LaunchError> {
    let SourceSpec::App { app, confinement } = &spec.source;
    let folders = services
        .apps
        .make(spec.id, spec.owner, &app.id, app.home)
        .map_err(|e| LaunchError::files(&e))?;
    let owner = services.apps.owner();
    let (xauthority, window_manager_config) = desktop::files(&folders);
    let layout = Layout {
        app: AppEntry::clone(app),
        width: spec.width,
        height: spec.height,
        fps: spec.fps,
        bitrate_kbps: spec.bitrate_kbps,
        home: folders.home,
        tmp: folders.tmp,
        xauthority,
        window_manager_config,
        program: services.capture_program.clone(),
        vnc_folder: services.transports.vnc.then_some(folders.vnc),
        user: owner.map(|o| User { uid: o.uid, gid: o.gid }),
        user_name: owner.map_or_else(|| "heliostat".to_owned(), |o| o.name.clone()),
        confinement: Confinement::clone(confinement),
    };
    let sized = sized(&layout, app.home);
    let folder = services.state.instance(spec.id);
    desktop::prepare(&folder, &layout, owner).map_err(|e| LaunchError::files(&e))?;
    if fresh {
        desktop::judge_home(&layout)?;
    }
    let limits = &services.config.instances;
    let ladder = Ladder::configured(&services.config.video.ladder, spec.bitrate_kbps);
    let feed = Feed::new(&desktop::PARTS, Hub::with_ladder(ladder)).map_err(|e| LaunchError::files(&e))?;
    let Feed {
        facts,
        hub,
        input,
        windows,
    } = feed.clone();
    let parts = DesktopParts {
        id: spec.id,
        layout,
        keeper_options: KeeperOptions {
            program: services.program.clone(),
            dir: folder.clone(),
            instance: spec.id,
            host_absence: limits.host_absence,
            apart: confinement.sandbox.is_some(),
            sized,
        },
        folder,
        readiness_timeout: limits.readiness_timeout,
        capture_idle_timeout: limits.capture_idle_timeout,
        facts,
        hub,
        input,
        windows,
        media: services.media.clone(),
        encoders: services.encoders.clone(),
        starts: services.starts.clone(),
    };
    let source = DesktopShared::new(parts);
    Ok(InstanceShared::new(spec.clone(), feed, source, Arc::clone(services)))
}

/// The folders of an instance whose size is limited: a kept home is not one of them, it outlives the instance.
fn sized(layout: &Layout, home: Home) -> Vec<SizedFolder> {
    let (uid, gid) = layout
        .user
        .map_or_else(|| (geteuid().as_raw(), getegid().as_raw()), |user| (user.uid, user.gid));
    let limits = &layout.confinement.limits;
    let home = (home == Home::Ephemeral).then_some((&layout.home, limits.home));
    let folders = home.into_iter().chain([(&layout.tmp, limits.tmp)]);
    let sized = folders.filter_map(|(path, limit)| {
        limit.map(|bytes| SizedFolder {
            bytes,
            uid,
            gid,
            path: path.clone(),
        })
    });
    sized.collect()
}
