//! libx264, loaded when it is first used: the only room of it that is not safe.
//!
//! It is not linked to, since its licence is not ours: it is there where GStreamer's plug-in of it is, or it is not used.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::mem::MaybeUninit;
use std::ptr::{NonNull, null};
use std::sync::OnceLock;

use libloading::Library;

use super::layout::{CSP_I420, Known, LIBRARY, Nal, Parameters, Picture, TYPE_IDR, TYPE_P};

/// A picture of more than this is not one of ours: a frame is never so large.
const MOST_BYTES: usize = 256 * 1024 * 1024;

type DefaultPreset = unsafe extern "C" fn(*mut Parameters, *const c_char, *const c_char) -> c_int;
type Parse = unsafe extern "C" fn(*mut Parameters, *const c_char, *const c_char) -> c_int;
type Profile = unsafe extern "C" fn(*mut Parameters, *const c_char) -> c_int;
type PictureInit = unsafe extern "C" fn(*mut Picture);
type Open = unsafe extern "C" fn(*mut Parameters) -> *mut c_void;
type ReadBack = unsafe extern "C" fn(*mut c_void, *mut Parameters);
type Reconfigure = unsafe extern "C" fn(*mut c_void, *mut Parameters) -> c_int;
type Encode = unsafe extern "C" fn(*mut c_void, *mut *mut Nal, *mut c_int, *mut Picture, *mut Picture) -> c_int;
type Close = unsafe extern "C" fn(*mut c_void);

/// What is used of it.
struct Functions {
    default_preset: DefaultPreset,
    parse: Parse,
    profile: Profile,
    picture_init: PictureInit,
    open: Open,
    read_back: ReadBack,
    reconfigure: Reconfigure,
    encode: Encode,
    close: Close,
}

fn functions() -> Result<&'static Functions, String> {
    static LOADED: OnceLock<Result<Functions, String>> = OnceLock::new();
    LOADED.get_or_init(load).as_ref().map_err(Clone::clone)
}

fn load() -> Result<Functions, String> {
    // SAFETY: what it does when it is loaded is nothing but set up itself; GStreamer's plug-in loads it the same way.
    let library = unsafe { Library::new(LIBRARY) }.map_err(|error| error.to_string())?;
    // It stays: what was found in it is called until the process ends.
    let library: &'static Library = Box::leak(Box::new(library));
    fn symbol<T: Copy>(library: &'static Library, name: &CStr) -> Result<T, String> {
        // SAFETY: the types above are those of the library's interface, whose number its name has.
        let found = unsafe { library.get::<T>(name.to_bytes_with_nul()) };
        found.map(|symbol| *symbol).map_err(|error| error.to_string())
    }
    Ok(Functions {
        default_preset: symbol(library, c"x264_param_default_preset")?,
        parse: symbol(library, c"x264_param_parse")?,
        profile: symbol(library, c"x264_param_apply_profile")?,
        picture_init: symbol(library, c"x264_picture_init")?,
        open: symbol(library, c"x264_encoder_open_164")?,
        read_back: symbol(library, c"x264_encoder_parameters")?,
        reconfigure: symbol(library, c"x264_encoder_reconfig")?,
        encode: symbol(library, c"x264_encoder_encode")?,
        close: symbol(library, c"x264_encoder_close")?,
    })
}

/// What an encoder is set to.
struct Settings {
    functions: &'static Functions,
    parameters: Box<Parameters>,
}

impl Settings {
    fn new(preset: &str, tune: &str) -> Result<Self, String> {
        let functions = functions()?;
        let (preset_text, tune_text) = (text(preset)?, text(tune)?);
        let mut parameters = Box::new(MaybeUninit::<Parameters>::zeroed());
        // SAFETY: there is room for the library's structure, however long it is within the rest, and zeros are valid for
        // what we know of it: numbers and pointers that are not followed.
        let (done, parameters) = unsafe {
            let done = (functions.default_preset)(parameters.as_mut_ptr(), preset_text.as_ptr(), tune_text.as_ptr());
            (done, parameters.assume_init())
        };
        if done != 0 {
            return Err(format!("it knows no {preset} for {tune}"));
        }
        Ok(Self { functions, parameters })
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let (name_text, value_text) = (text(name)?, text(value)?);
        // SAFETY: the structure is one that the library has filled; it copies both texts.
        let done =
            unsafe { (self.functions.parse)(&raw mut *self.parameters, name_text.as_ptr(), value_text.as_ptr()) };
        if done == 0 {
            Ok(())
        } else {
            Err(format!("it does not take {name}={value}"))
        }
    }

    const fn known(&self) -> &Known {
        &self.parameters.known
    }
}

fn text(text: &str) -> Result<CString, String> {
    CString::new(text).map_err(|error| error.to_string())
}

/// A value that is told by name, and where it is to be found then.
type Told = (&'static str, &'static str, fn(&Known) -> [c_int; 2]);

/// Values that nothing else has, and fields before, around and behind those that are written here.
const TOLD: [Told; 12] = [
    ("threads", "7", |known| [known.threads, 7]),
    ("sliced-threads", "1", |known| [known.sliced_threads, 1]),
    ("level", "3.1", |known| [known.level, 31]),
    ("colormatrix", "smpte240m", |known| [known.matrix, 7]),
    ("ref", "11", |known| [known.references, 11]),
    ("keyint", "4711", |known| [known.keyint_max, 4711]),
    ("merange", "47", |known| [known.me_range, 47]),
    ("subme", "9", |known| [known.subme, 9]),
    ("nr", "815", |known| [known.noise_reduction, 815]),
    ("psy", "0", |known| [known.psy, 0]),
    ("deadzone-inter", "13", |known| [known.deadzone[0], 13]),
    ("deadzone-intra", "19", |known| [known.deadzone[1], 19]),
];

/// Whether the library's structure is as we know it: what it is told by name has to be where we look for it.
///
/// # Errors
/// It is not there, or it is not as it should be.
pub(super) fn tried() -> Result<(), String> {
    static TRIED: OnceLock<Result<(), String>> = OnceLock::new();
    TRIED.get_or_init(try_layout).clone()
}

fn try_layout() -> Result<(), String> {
    let mut settings = Settings::new("medium", "zerolatency")?;
    let known = settings.known();
    let untouched = [known.width, known.height, known.mb_info, known.mb_info_update];
    if untouched != [0; 4] || known.csp != CSP_I420 || known.bit_depth != 8 {
        return Err("its parameters do not begin as they should".into());
    }
    for (name, value, found) in TOLD {
        settings.set(name, value)?;
        let [is, wanted] = found(settings.known());
        if is != wanted {
            return Err(format!("its parameter {name} is not where it should be"));
        }
    }
    Ok(())
}

/// What an encoder encodes.
#[derive(Clone, Copy, Debug)]
pub(in crate::gst) struct Form {
    /// Pixels.
    pub(in crate::gst) width: u16,
    /// Pixels.
    pub(in crate::gst) height: u16,
    /// Bytes a row of the brightness, and of each colour difference.
    pub(in crate::gst) strides: (usize, usize),
    /// Pictures a second at most.
    pub(in crate::gst) fps: u16,
    /// Threads.
    pub(in crate::gst) threads: usize,
}

/// How a picture is to be encoded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Order<'a> {
    /// Three planes, one after the other.
    pub(super) picture: &'a [u8],
    /// For each block whether it is as in the picture before ([`heliostat_scaling::SAME`]).
    pub(super) flags: &'a [u8],
    /// A part of the picture has moved far: it is looked for.
    pub(super) far: bool,
    pub(super) quantiser: u8,
    pub(super) key: bool,
}

/// A search for what has moved that finds it wherever it is within its range, and one that finds what is near. Each block that
/// is a new one costs the first five times as much, and it finds nothing.
const SEARCHES: [&str; 2] = ["dia", "umh"];

/// A running encoder.
pub(super) struct Running {
    functions: &'static Functions,
    handle: NonNull<c_void>,
    /// What it is set to, and whether for what moves far, if that is known.
    settings: Settings,
    far: Option<bool>,
    form: Form,
    blocks: usize,
    count: i64,
}

// SAFETY: an encoder belongs to no thread; only one call at a time is allowed, and each takes it exclusively.
unsafe impl Send for Running {}

impl Running {
    /// Starts one.
    ///
    /// # Errors
    /// There is no such library, it is not as it should be, or it refuses.
    pub(super) fn open(form: Form, settings: &[(&str, &str)]) -> Result<Self, String> {
        tried()?;
        let mut told = Settings::new("ultrafast", "zerolatency")?;
        for (name, value) in settings {
            told.set(name, value)?;
        }
        told.set("fps", &format!("{}/1", form.fps.max(1)))?;
        told.set("threads", &form.threads.max(1).to_string())?;
        let known = &mut told.parameters.known;
        (known.width, known.height) = (form.width.into(), form.height.into());
        known.mb_info = 1;
        let functions = told.functions;
        // SAFETY: a structure that the library has filled; texts and values in it are the library's own.
        let handle = unsafe {
            if (functions.profile)(&raw mut *told.parameters, c"baseline".as_ptr()) != 0 {
                return Err("it does not know the baseline profile".into());
            }
            (functions.open)(&raw mut *told.parameters)
        };
        let handle = NonNull::new(handle).ok_or("it refuses to start")?;
        let blocks = usize::from(form.width.div_ceil(16)) * usize::from(form.height.div_ceil(16));
        let mut this = Self {
            functions,
            handle,
            settings: told,
            far: None,
            form,
            blocks,
            count: 0,
        };
        // SAFETY: an open encoder, and room for the library's structure.
        unsafe { (functions.read_back)(handle.as_ptr(), &raw mut *this.settings.parameters) };
        let known = this.settings.known();
        if (known.width, known.height, known.mb_info) != (form.width.into(), form.height.into(), 1) {
            return Err("it is not set to what it was told".into());
        }
        Ok(this)
    }

    /// Has it look far for what has moved, or near, from the next picture on.
    fn search(&mut self, far: bool) -> Result<(), String> {
        if self.far == Some(far) {
            return Ok(());
        }
        self.settings.set("me", SEARCHES[usize::from(far)])?;
        // SAFETY: an open encoder, and what it is set to, of which only what it can change in its course is another.
        let done = unsafe { (self.functions.reconfigure)(self.handle.as_ptr(), &raw mut *self.settings.parameters) };
        if done != 0 {
            return Err("it does not change its search".into());
        }
        self.far = Some(far);
        Ok(())
    }

    /// Encodes a picture: a whole frame, and whether it is a key frame.
    ///
    /// # Errors
    /// The encoder failed, or gave what it must not.
    pub(super) fn encode(&mut self, order: Order<'_>) -> Result<(Vec<u8>, bool), String> {
        let (luma, chroma) = self.form.strides;
        let height = usize::from(self.form.height);
        let (blue, red) = (luma * height, luma * height + chroma * (height / 2));
        if order.picture.len() < red + chroma * (height / 2) || order.flags.len() != self.blocks {
            return Err("a picture is not of the size that it should be".into());
        }
        if !order.key {
            self.search(order.far)?;
        }
        let mut given = MaybeUninit::<Picture>::zeroed();
        let mut made = MaybeUninit::<Picture>::zeroed();
        let (mut units, mut number) = (std::ptr::null_mut::<Nal>(), 0);
        self.count += 1;
        let stride = |bytes: usize| c_int::try_from(bytes).map_err(|error| error.to_string());
        let strides = [stride(luma)?, stride(chroma)?, stride(chroma)?, 0];
        // SAFETY: both structures have room for the library's and are valid as zeros. The planes and the flags are as large
        // as the encoder, which was told the size, reads (checked above); it reads them during this call only, since it
        // holds back no picture. What it gives is valid until the next call, and copied before.
        let (size, made) = unsafe {
            (self.functions.picture_init)(given.as_mut_ptr());
            let picture = &mut *given.as_mut_ptr();
            picture.kind = if order.key { TYPE_IDR } else { TYPE_P };
            picture.qp_plus_one = c_int::from(order.quantiser) + 1;
            picture.pts = self.count;
            (picture.csp, picture.planes, picture.strides) = (CSP_I420, 3, strides);
            let base = order.picture.as_ptr();
            picture.plane = [base, base.add(blue), base.add(red), null()];
            picture.mb_info = order.flags.as_ptr();
            let size = (self.functions.encode)(
                self.handle.as_ptr(),
                &raw mut units,
                &raw mut number,
                given.as_mut_ptr(),
                made.as_mut_ptr(),
            );
            (size, made.assume_init())
        };
        let size = usize::try_from(size).map_err(|_| "it failed to encode a picture")?;
        if size == 0 || size > MOST_BYTES || number < 1 || units.is_null() {
            return Err("nothing came out for a picture".into());
        }
        if made.pts != self.count {
            return Err("another picture came out than went in".into());
        }
        // SAFETY: as many units as it said, of which the first is there.
        let units = unsafe { std::slice::from_raw_parts(units, usize::try_from(number).unwrap_or(0)) };
        let told: usize = units.iter().map(|unit| usize::try_from(unit.bytes).unwrap_or(0)).sum();
        let first = units.first().map_or(null(), |unit| unit.payload);
        if told != size || first.is_null() {
            return Err("the parts of a frame are not as long as the frame".into());
        }
        // SAFETY: the units of a frame follow each other without a gap, as the interface promises, and are `size` bytes
        // long together.
        let bytes = unsafe { std::slice::from_raw_parts(first, size) };
        Ok((bytes.to_vec(), made.key != 0))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // SAFETY: it is open, and nobody has it any more.
        unsafe { (self.functions.close)(self.handle.as_ptr()) };
    }
}
