//! OCI image archives of one layer, as containerd imports them (OCI image layout 1.0 in a tar; the image's name in the
//! annotation that containerd reads first).

mod archive;
mod format;

pub use archive::{Image, LayerFile, OciError, Packed, archive, pack};
