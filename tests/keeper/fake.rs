//! A keeper that says what a test tells it to: the real protocol over a real socket, in the test's own process.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;
use std::time::Duration;

use heliostat::ids::InstanceId;
use heliostat::protocol::keeper::{Call, Decoder, Manifest, Message, Reply, VERSION, encode};

use super::support::Place;

/// The pid of this process, as which every fake is seen.
pub fn own_pid() -> i32 {
    i32::try_from(std::process::id()).unwrap()
}

/// Field 22 of `/proc/<pid>/stat`.
pub fn start_time(pid: i32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, rest) = stat.rsplit_once(") ").unwrap();
    rest.split(' ').nth(19).unwrap().parse().unwrap()
}

/// What the manifest of a fake says when it does not lie.
pub fn manifest(instance: InstanceId) -> Manifest {
    Manifest {
        pid: own_pid(),
        start_time: start_time(own_pid()),
        instance,
        version: VERSION,
        mark: Some(mark(instance)),
    }
}

/// The mark of a fake: never on this process.
pub fn mark(instance: InstanceId) -> String {
    format!("fake of {instance}")
}

pub fn write_manifest(place: &Place, manifest: &Manifest) {
    fs::write(place.file("keeper.json"), serde_json::to_vec(manifest).unwrap()).unwrap();
}

/// A fake's end of one connection.
pub struct Wire {
    stream: UnixStream,
    decoder: Decoder,
}

impl Wire {
    /// The next call; none when the host has gone.
    pub fn call(&mut self) -> Option<Call> {
        let mut buffer = [0; 4096];
        loop {
            if let Some(call) = self.decoder.take().unwrap() {
                return Some(call);
            }
            match self.stream.read(&mut buffer) {
                Ok(0) | Err(_) => return None,
                Ok(count) => self.decoder.push(&buffer[..count]),
            }
        }
    }

    /// Says something, heard or not.
    pub fn say(&mut self, message: &Message) {
        self.raw(&encode(message).unwrap());
    }

    /// Answers a call.
    pub fn answer(&mut self, id: u64, reply: Reply) {
        self.say(&Message::Reply { id, result: Ok(reply) });
    }

    /// Sends bytes, heard or not.
    pub fn raw(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Greets as a keeper does.
    pub fn welcome(&mut self) {
        if let Some(Call { id, .. }) = self.call() {
            self.answer(id, Reply::Welcome { pid: own_pid() });
        }
    }

    /// Says no more, and stays.
    pub fn stay(&mut self) {
        while self.call().is_some() {}
    }
}

/// Listens in the place's folder, with an honest manifest; every connection is dealt with by `act`.
pub fn fake(place: &Place, act: impl Fn(&mut Wire) + Send + 'static) {
    write_manifest(place, &manifest(place.options.instance));
    serve(UnixListener::bind(place.file("keeper.sock")).unwrap(), act);
}

/// Deals with every connection, one after the other, until the test's process ends.
pub fn serve(listener: UnixListener, act: impl Fn(&mut Wire) + Send + 'static) {
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // Should a test fail, nobody waits for ever.
            stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
            act(&mut Wire {
                stream,
                decoder: Decoder::default(),
            });
        }
    });
}
