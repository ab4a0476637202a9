//! What libx264's interface number 164 promises of the structures that it is given, as far as they are used here.
//!
//! Written by the layout of that interface, which its number stands for: libraries with another layout have another name. That
//! it is so is tried before anything is encoded ([`super::library`]).

use std::ffi::{c_char, c_int, c_void};
use std::mem::MaybeUninit;

/// The library that has this interface.
pub(in crate::gst) const LIBRARY: &str = "libx264.so.164";

/// I420, as `i_csp` says it.
pub(super) const CSP_I420: c_int = 2;
/// Types of pictures.
pub(super) const TYPE_IDR: c_int = 1;
pub(super) const TYPE_P: c_int = 3;

/// The beginning of `x264_param_t`.
#[repr(C)]
pub(super) struct Known {
    _cpu: u32,
    pub(super) threads: c_int,
    _lookahead_threads: c_int,
    pub(super) sliced_threads: c_int,
    _deterministic: c_int,
    _cpu_independent: c_int,
    _sync_lookahead: c_int,
    pub(super) width: c_int,
    pub(super) height: c_int,
    pub(super) csp: c_int,
    pub(super) bit_depth: c_int,
    pub(super) level: c_int,
    _frame_total: c_int,
    _nal_hrd: c_int,
    _vui_to_transfer: [c_int; 7],
    pub(super) matrix: c_int,
    _chroma_location: c_int,
    pub(super) references: c_int,
    _dpb_size: c_int,
    pub(super) keyint_max: c_int,
    _keyint_min_to_avcintra: [c_int; 11],
    _deblocking: [c_int; 3],
    pub(super) cabac: c_int,
    _cabac_to_constrained_intra: [c_int; 3],
    _cqm_preset: c_int,
    _cqm_file: *mut c_char,
    _cqm: [u8; 320],
    _log: *mut c_void,
    _log_private: *mut c_void,
    pub(super) log_level: c_int,
    _full_recon: c_int,
    _dump: *mut c_char,
    _intra_to_chroma_offset: [c_int; 7],
    _me_method: c_int,
    pub(super) me_range: c_int,
    _mv_range: [c_int; 2],
    pub(super) subme: c_int,
    _chroma_me_to_decimate: [c_int; 5],
    pub(super) noise_reduction: c_int,
    _psy_rd: [f32; 2],
    pub(super) psy: c_int,
    pub(super) mb_info: c_int,
    pub(super) mb_info_update: c_int,
    pub(super) deadzone: [c_int; 2],
}

/// A whole `x264_param_t`, with room to spare: its end is nobody's business here.
#[repr(C, align(16))]
pub(super) struct Parameters {
    pub(super) known: Known,
    _rest: [MaybeUninit<u8>; 8192],
}

/// `x264_image_t` and what follows it, within `x264_picture_t`.
#[repr(C)]
pub(super) struct Picture {
    pub(super) kind: c_int,
    pub(super) qp_plus_one: c_int,
    _pic_struct: c_int,
    pub(super) key: c_int,
    pub(super) pts: i64,
    _dts: i64,
    _param: *mut c_void,
    pub(super) csp: c_int,
    pub(super) planes: c_int,
    pub(super) strides: [c_int; 4],
    pub(super) plane: [*const u8; 4],
    _quant_offsets: *mut c_void,
    _quant_offsets_free: *mut c_void,
    pub(super) mb_info: *const u8,
    _rest: [MaybeUninit<u8>; 1024],
}

/// `x264_nal_t`.
#[repr(C)]
pub(super) struct Nal {
    _ref_idc: c_int,
    _type: c_int,
    _long_startcode: c_int,
    _first_mb: c_int,
    _last_mb: c_int,
    pub(super) bytes: c_int,
    pub(super) payload: *const u8,
    _padding: c_int,
}

#[cfg(test)]
mod tests {
    use std::mem::{offset_of, size_of};

    use super::*;

    #[test]
    fn structures_are_laid_out_as_the_header_of_interface_164_lays_them_out() {
        // From a C program with that header (x86-64): where fields begin.
        let table = [
            ("i_width", offset_of!(Known, width), 28),
            ("i_csp", offset_of!(Known, csp), 36),
            ("i_level_idc", offset_of!(Known, level), 44),
            ("vui.i_colmatrix", offset_of!(Known, matrix), 84),
            ("i_keyint_max", offset_of!(Known, keyint_max), 100),
            ("b_cabac", offset_of!(Known, cabac), 160),
            ("i_log_level", offset_of!(Known, log_level), 528),
            ("analyse.i_me_range", offset_of!(Known, me_range), 576),
            ("analyse.i_subpel_refine", offset_of!(Known, subme), 588),
            ("analyse.b_mb_info", offset_of!(Known, mb_info), 628),
            ("analyse.i_luma_deadzone", offset_of!(Known, deadzone), 636),
            ("picture: i_pts", offset_of!(Picture, pts), 16),
            ("picture: img", offset_of!(Picture, csp), 40),
            ("picture: img.plane", offset_of!(Picture, plane), 64),
            ("picture: prop.mb_info", offset_of!(Picture, mb_info), 112),
            ("nal: p_payload", offset_of!(Nal, payload), 24),
            ("nal", size_of::<Nal>(), 40),
        ];
        for (what, is, wanted) in table {
            assert_eq!(is, wanted, "{what}");
        }
    }
}
