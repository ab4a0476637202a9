//! What the browser says about the stream by RTCP: it needs a key frame (PLI, RFC 4585; FIR, RFC 5104). Sits in the
//! interceptor chain, looks on and changes nothing. Packets that were lost are the business of `requests`.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use rtc::interceptor::{Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::rtcp::payload_feedbacks::full_intra_request::FullIntraRequest;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::sansio::Protocol;
use rtc::shared::error::Error;
use tokio::sync::Notify;

/// What the interceptor saw, for the rest of the peer.
#[derive(Default)]
pub(super) struct Feedback {
    /// A key frame is wanted; requests that come together become one.
    pub(super) key: Notify,
    /// Packets reported as lost.
    pub(super) nacked: AtomicU64,
    /// Bytes sent again because of that.
    pub(super) repeated: AtomicU64,
}

/// The interceptor.
pub(super) struct Observer {
    pub(super) feedback: Arc<Feedback>,
    inbound: VecDeque<TaggedPacket>,
    outbound: VecDeque<TaggedPacket>,
}

impl Observer {
    pub(super) fn new(feedback: Arc<Feedback>) -> Self {
        Self {
            feedback,
            inbound: VecDeque::new(),
            outbound: VecDeque::new(),
        }
    }

    fn look(&self, packet: &dyn rtc::rtcp::Packet) {
        let any = packet.as_any();
        if any.is::<PictureLossIndication>() || any.is::<FullIntraRequest>() {
            self.feedback.key.notify_one();
        }
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for Observer {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtcp(packets) = &packet.message.packet {
            packets.iter().for_each(|p| self.look(p.as_ref()));
        }
        self.inbound.push_back(packet);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.inbound.pop_front()
    }

    fn handle_write(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        self.outbound.push_back(packet);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.outbound.pop_front()
    }
}

impl Interceptor for Observer {
    fn bind_local_stream(&mut self, _: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _: &StreamInfo) {}
    fn bind_remote_stream(&mut self, _: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _: &StreamInfo) {}
}
