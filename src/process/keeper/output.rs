//! What a role writes: the last lines in memory, and a log file that is rotated once and never grows beyond its cap.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::sync::Arc;

use crate::files::Folder;
use crate::protocol::keeper::{MAX_LINE_BYTES, MAX_TAIL_LINES, newest_lines};

/// The most bytes of a log file; there is one older file beside it.
pub const MAX_LOG_BYTES: u64 = 1 << 20;

/// The last lines of a stream of bytes.
#[derive(Debug, Default)]
pub(super) struct Tail {
    lines: VecDeque<String>,
    /// The line that has no end yet.
    open: Vec<u8>,
}

impl Tail {
    /// Takes bytes as they come.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|&b| b == b'\n') {
            self.extend(&rest[..end]);
            let line = text(&self.open);
            self.open.clear();
            if self.lines.len() == MAX_TAIL_LINES {
                self.lines.pop_front();
            }
            self.lines.push_back(line);
            rest = &rest[end + 1..];
        }
        self.extend(rest);
    }

    fn extend(&mut self, bytes: &[u8]) {
        let room = MAX_LINE_BYTES - self.open.len();
        self.open.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// The newest lines, oldest first; a line without its end counts.
    pub(super) fn newest(&self, count: usize) -> Vec<String> {
        let open = (!self.open.is_empty()).then(|| text(&self.open));
        let lines: Vec<&str> = self.lines.iter().chain(&open).map(String::as_str).collect();
        newest_lines(lines.into_iter(), count)
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// A line as UTF-8 within its cap: a replaced byte takes three. It is shown on pages, so that what would steer a
/// terminal is left out.
fn text(bytes: &[u8]) -> String {
    let mut line = String::from_utf8_lossy(bytes).into_owned();
    line.retain(|c| !c.is_control() || c == '\t');
    let end = (0..=line.len().min(MAX_LINE_BYTES))
        .rev()
        .find(|&at| line.is_char_boundary(at));
    line.truncate(end.unwrap_or(0));
    line
}

/// A capped log file. That a disk is full disturbs no one: what cannot be written is dropped.
#[derive(Debug)]
pub(super) struct LogFile {
    folder: Arc<Folder>,
    name: String,
    file: Option<File>,
    size: u64,
}

impl LogFile {
    pub(super) fn new(folder: Arc<Folder>, name: String) -> Self {
        let mut log = Self {
            folder,
            name,
            file: None,
            size: 0,
        };
        log.open();
        log
    }

    fn open(&mut self) {
        match self.folder.append(&self.name) {
            Ok(file) => {
                self.size = file.metadata().map_or(0, |metadata| metadata.len());
                self.file = Some(file);
            }
            Err(error) => log::warn!("file={} cannot be opened: {error}", self.name),
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) {
        // What is read at once is far smaller than the cap.
        if self.size + bytes.len() as u64 > MAX_LOG_BYTES {
            self.file = None;
            if let Err(error) = self.folder.rename(&self.name, &format!("{}.1", self.name)) {
                log::warn!("file={} cannot be rotated: {error}", self.name);
                self.folder.remove(&self.name);
            }
            self.open();
        }
        if let Some(file) = &mut self.file
            && let Ok(written) = file.write(bytes)
        {
            self.size += written as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_newest_lines_come_oldest_first_with_the_open_one() {
        let mut tail = Tail::default();
        tail.push(b"one\r\ntwo\nthr");
        tail.push(b"ee");
        assert_eq!(tail.newest(9), ["one", "two", "three"]);
        assert_eq!(tail.newest(1), ["three"]);
        tail.clear();
        assert!(tail.newest(9).is_empty());
    }

    #[test]
    fn only_the_last_lines_are_kept() {
        let mut tail = Tail::default();
        for n in 0..1000 {
            tail.push(format!("{n}\n").as_bytes());
        }
        assert_eq!(tail.lines.len(), MAX_TAIL_LINES);
        assert_eq!(tail.newest(1), ["999"]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_line_too_long_or_a_tail_too_large(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9000), 0..6),
        ) {
            let mut tail = Tail::default();
            for piece in &pieces {
                tail.push(piece);
            }
            prop_assert!(tail.open.len() <= MAX_LINE_BYTES);
            prop_assert!(tail.lines.iter().all(|line| line.len() <= MAX_LINE_BYTES));
            prop_assert!(tail.lines.len() <= MAX_TAIL_LINES);
        }
    }

    #[test]
    fn a_log_is_rotated_at_its_cap() {
        let folder = tempfile::tempdir().unwrap();
        let opened = Arc::new(Folder::open(folder.path()).unwrap());
        let mut log = LogFile::new(opened, "app.log".into());
        let block = vec![b'x'; 64 * 1024];
        for _ in 0..50 {
            log.write(&block);
        }
        let size = |name: &str| std::fs::metadata(folder.path().join(name)).unwrap().len();
        assert!(size("app.log") <= MAX_LOG_BYTES);
        assert!(size("app.log.1") <= MAX_LOG_BYTES);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
