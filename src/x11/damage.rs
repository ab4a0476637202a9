//! What has changed on the screen since it was last grabbed, as the server keeps it.

use x11rb::connection::Connection as _;
use x11rb::cookie::Cookie;
use x11rb::protocol::damage::{ConnectionExt as _, Damage, ReportLevel};
use x11rb::protocol::xfixes::{ConnectionExt as _, FetchRegionReply, Region};
use x11rb::protocol::xproto::Window;
use x11rb::rust_connection::RustConnection;

use super::X11Error;

/// The changes of one window and those in it. One event tells of the first; no other comes until they are taken or set aside.
#[derive(Debug)]
pub(super) struct Damaged {
    damage: Damage,
    /// What was taken last.
    taken: Region,
    /// What was told and not taken.
    aside: Region,
    any_aside: bool,
}

impl Damaged {
    /// Watches from now on.
    pub(super) fn watch(x: &RustConnection, window: Window) -> Result<Self, X11Error> {
        let (damage, taken, aside) = (x.generate_id()?, x.generate_id()?, x.generate_id()?);
        x.xfixes_create_region(taken, &[])?;
        x.xfixes_create_region(aside, &[])?;
        x.damage_create(damage, window, ReportLevel::NON_EMPTY)?
            .check()
            .map_err(X11Error::reply("watching damage"))?;
        Ok(Self {
            damage,
            taken,
            aside,
            any_aside: false,
        })
    }

    /// Has further changes told again, and keeps those so far for [`Self::take`].
    pub(super) fn set_aside(&mut self, x: &RustConnection) -> Result<(), X11Error> {
        x.damage_subtract(self.damage, x11rb::NONE, self.taken)?;
        x.xfixes_union_region(self.taken, self.aside, self.aside)?;
        self.any_aside = true;
        Ok(())
    }

    /// Takes what has changed up to here; what changes from here on is told again.
    pub(super) fn take(&mut self, x: &RustConnection) -> Result<(), X11Error> {
        x.damage_subtract(self.damage, x11rb::NONE, self.taken)?;
        if std::mem::take(&mut self.any_aside) {
            x.xfixes_union_region(self.taken, self.aside, self.taken)?;
            x.xfixes_set_region(self.aside, &[])?;
        }
        Ok(())
    }

    /// Asks for what was taken.
    pub(super) fn taken<'x>(
        &self,
        x: &'x RustConnection,
    ) -> Result<Cookie<'x, RustConnection, FetchRegionReply>, X11Error> {
        Ok(x.xfixes_fetch_region(self.taken)?)
    }
}
