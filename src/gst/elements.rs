//! An encoder that is an element of GStreamer, between a source and a sink.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;

use super::GstError;
use super::budget::Share;
use super::encoder::{Encoder, Input};
use super::pipeline::{MAX_IN_FLIGHT, PipelineConfig, Shared};
use crate::media::{Frame, PlanarPicture};

/// The elements of one that runs.
pub(super) struct Elements {
    pipeline: gst::Pipeline,
    source: gst_app::AppSrc,
    encoder: gst::Element,
    sink: gst_app::AppSink,
    /// Every picture is a key frame until one has come out.
    keys: Arc<AtomicBool>,
}

impl Elements {
    /// Starts encoding.
    ///
    /// # Errors
    /// An element is missing or the pipeline does not start.
    pub(super) fn start<F: Fn(Option<Frame>) + Send + Sync + 'static>(
        config: &PipelineConfig,
        shared: &Arc<Shared>,
        output: &Arc<F>,
    ) -> Result<Self, GstError> {
        let caps = gst::Caps::builder("video/x-raw")
            .field("format", config.encoder.input.format())
            .field("colorimetry", config.encoder.colours)
            .field("width", i32::from(config.width))
            .field("height", i32::from(config.height))
            // Not 0/1: with a variable rate x264 holds back a frame.
            .field("framerate", gst::Fraction::new(i32::from(config.fps), 1))
            .build();
        let source = gst_app::AppSrc::builder()
            .caps(&caps)
            .is_live(true)
            .format(gst::Format::Time)
            // overflow: never, since the caller keeps to `MAX_IN_FLIGHT`; a caller that does not loses the older raw
            // picture. An encoded frame is never dropped.
            .max_buffers(MAX_IN_FLIGHT as u64)
            .max_bytes(0)
            .max_time(gst::ClockTime::ZERO)
            .leaky_type(gst_app::AppLeakyType::Downstream)
            .build();
        let encoder = config.encoder.make(config.kbps, config.threads)?;
        let keys = Arc::new(AtomicBool::new(false));
        let sink = gst_app::AppSink::builder()
            .caps(&config.encoder.caps())
            .sync(false)
            // overflow: the encoder waits; it never comes to that, since the callback takes every frame at once.
            .max_buffers(4)
            .drop(false)
            .enable_last_sample(false)
            .name(config.encoder.element)
            .callbacks(callbacks(config, &encoder, &keys, shared, output))
            .build();
        let pipeline = gst::Pipeline::new();
        let elements = [source.upcast_ref(), &encoder, sink.upcast_ref()];
        let start_error = |reason: String| GstError::Start {
            element: config.encoder.element.into(),
            reason,
        };
        pipeline.add_many(elements).map_err(|e| start_error(e.to_string()))?;
        gst::Element::link_many(elements).map_err(|e| start_error(e.to_string()))?;
        watch_bus(&pipeline, shared, output);
        let this = Self {
            pipeline,
            source,
            encoder,
            sink,
            keys,
        };
        if let Err(error) = this.pipeline.set_state(gst::State::Playing) {
            this.dump("start");
            return Err(shared.take_error().unwrap_or_else(|| start_error(error.to_string())));
        }
        Ok(this)
    }

    /// Encodes a picture.
    pub(super) fn push(&self, config: &PipelineConfig, picture: PlanarPicture, told_us: u64) {
        let mut buffer = match config.encoder.input {
            Input::I420 | Input::Y444 => gst::Buffer::from_slice(picture),
            Input::Nv12 => gst::Buffer::from_slice(picture.nv12(config.width, config.height)),
        };
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(gst::ClockTime::from_useconds(told_us));
        }
        // An error here means that the pipeline failed, which the bus has told.
        if let Err(flow) = self.source.push_buffer(buffer) {
            log::debug!("encoder={} takes no more pictures: {flow}", config.encoder.element);
        }
    }

    /// Sets the rate, and what the next picture may take of it.
    pub(super) fn set_rate(&self, encoder: &Encoder, kbps: u32, share: Share) {
        encoder.set_rate(&self.encoder, kbps, share);
    }

    /// Tells whether the pictures that follow stand still.
    pub(super) fn set_still(&self, encoder: &Encoder, still: bool) {
        encoder.set_still(&self.encoder, still);
    }

    /// Makes the next picture a key frame; whether it does.
    pub(super) fn force_key(&self, encoder: &Encoder) -> bool {
        if let Some(keys) = encoder.keys {
            self.keys.store(true, Ordering::Release);
            Encoder::tell(&self.encoder, keys.every);
            return true;
        }
        let event = gst_video::UpstreamForceKeyUnitEvent::builder()
            .all_headers(true)
            .build();
        self.sink.static_pad("sink").is_some_and(|pad| pad.push_event(event))
    }

    /// For tests, and not in a release build.
    #[cfg(debug_assertions)]
    pub(super) fn fail(&self) {
        gst::element_error!(self.encoder, gst::LibraryError::Encode, ("it was told to fail"));
    }

    /// Writes the pipeline's graph where `GST_DEBUG_DUMP_DOT_DIR` says, if it says so.
    pub(super) fn dump(&self, why: &str) {
        self.pipeline
            .debug_to_dot_file(gst::DebugGraphDetails::ALL, format!("heliostat-{why}"));
    }
}

impl Drop for Elements {
    fn drop(&mut self) {
        if let Err(error) = self.pipeline.set_state(gst::State::Null) {
            log::warn!("encoder={} did not stop: {error}", self.sink.name());
        }
    }
}

fn callbacks<F: Fn(Option<Frame>) + Send + Sync + 'static>(
    config: &PipelineConfig,
    encoder: &gst::Element,
    keys: &Arc<AtomicBool>,
    shared: &Arc<Shared>,
    output: &Arc<F>,
) -> gst_app::AppSinkCallbacks {
    let (config, shared, output) = (*config, Arc::clone(shared), Arc::clone(output));
    let (encoder, keys) = (encoder.clone(), Arc::clone(keys));
    gst_app::AppSinkCallbacks::builder()
        .new_sample(move |sink| {
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            let buffer = sample.buffer_owned().ok_or(gst::FlowError::Error)?;
            let out_us = buffer.pts().map_or(0, gst::ClockTime::useconds);
            let key = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
            if key
                && let Some(told) = config.encoder.keys
                && keys.swap(false, Ordering::AcqRel)
            {
                Encoder::tell(&encoder, told.none);
            }
            let data = buffer
                .into_mapped_buffer_readable()
                .map_err(|_| gst::FlowError::Error)?;
            if let Some(frame) = shared.came_out(&config, Bytes::from_owner(data), key, out_us) {
                output(Some(frame));
            }
            Ok(gst::FlowSuccess::Ok)
        })
        .build()
}

/// Keeps the first error, on the thread that posts it: no thread and no loop of its own.
fn watch_bus<F: Fn(Option<Frame>) + Send + Sync + 'static>(
    pipeline: &gst::Pipeline,
    shared: &Arc<Shared>,
    output: &Arc<F>,
) {
    let Some(bus) = pipeline.bus() else { return };
    let (shared, output) = (Arc::clone(shared), Arc::clone(output));
    bus.set_sync_handler(move |_, message| {
        let failure = match message.view() {
            gst::MessageView::Error(error) => Some((error.src().map(|s| s.name()), error.error().to_string())),
            gst::MessageView::Eos(_) => Some((None, "the stream ended".to_owned())),
            _ => None,
        };
        if let Some((element, reason)) = failure {
            let element = element.map_or_else(|| "pipeline".to_owned(), |name| name.to_string());
            shared.fail(GstError::Failed { element, reason });
            output(None);
        }
        gst::BusSyncReply::Drop
    });
}
