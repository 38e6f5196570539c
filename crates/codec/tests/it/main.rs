//! Tests of the codecs through their public interface.
mod lzx_compress;
mod samples;
