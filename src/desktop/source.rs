//! A Desktop as the source of its instance.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::parts::DISPLAY;
use super::shared::DesktopShared;
use super::tree::desktop;
use crate::source::{Failure, NoVnc, Part, Source, TakePicture, VncLine};
use crate::supervision::{ExitReason, SupervisorSpec};
use crate::x11::screenshot;

/// A thumbnail is never wider than this, in pixels.
const THUMBNAIL_WIDTH: u16 = 640;
/// From the request to the PNG.
const SCREENSHOT_DEADLINE: Duration = Duration::from_secs(5);

#[async_trait]
impl Source for DesktopShared {
    fn name(&self) -> &'static str {
        "desktop"
    }

    fn tree(self: Arc<Self>) -> SupervisorSpec {
        desktop(&self)
    }

    fn failure(&self, reason: &ExitReason) -> Failure {
        let (code, message) = match (&self.facts.get()[DISPLAY], reason) {
            (Part::Lost { reason }, _) => ("display_failed", reason.clone()),
            (_, ExitReason::Error { message, .. }) => ("desktop_failed", message.clone()),
            (_, other) => ("desktop_failed", other.to_string()),
        };
        Failure {
            code: code.into(),
            message,
            output: self.last_output(),
        }
    }

    async fn end(&self) {
        self.end_keeper().await;
    }

    async fn forgive(&self) {
        self.forgive_encoders().await;
    }

    fn lives(&self) -> bool {
        self.has_keeper()
    }

    fn leave(&self) {
        self.leave_processes();
    }

    fn is_left(&self) -> bool {
        self.leaves_processes()
    }

    fn last_output(&self) -> Vec<String> {
        Self::last_output(self)
    }

    fn activate_window(&self, window: u32) {
        Self::activate_window(self, window);
    }

    fn picture(&self) -> Option<TakePicture> {
        let address = self.display_now()?;
        Some(Box::new(move || {
            Ok(screenshot(&address, Some(THUMBNAIL_WIDTH), SCREENSHOT_DEADLINE)?)
        }))
    }

    async fn vnc_line(&self) -> Result<VncLine, NoVnc> {
        let folder = self.layout.vnc_folder.as_ref().ok_or(NoVnc::Off)?;
        let user = self
            .layout
            .user
            .map_or_else(|| nix::unistd::geteuid().as_raw(), |user| user.uid);
        let wanted = self.vnc.want();
        let stream = self.vnc.connect(folder, user).await?;
        let picture = usize::from(self.layout.width) * usize::from(self.layout.height) * 4;
        Ok(VncLine::of_picture(&self.media, stream, wanted, picture))
    }
}
