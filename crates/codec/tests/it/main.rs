//! Tests of the codecs through their public interface.
mod lzms;
mod lzms_data;
mod lzx_compress;
mod samples;
