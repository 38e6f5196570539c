//! Tests of the codecs through their public interface.

#[cfg(test)]
mod judge;
#[cfg(test)]
mod libwim_chunks;
#[cfg(test)]
mod lzms;
#[cfg(test)]
mod lzms_data;
#[cfg(test)]
mod lzx_compress;
#[cfg(test)]
mod lzx_decompress;
#[cfg(test)]
mod replay;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod xpress_compress;
#[cfg(test)]
mod xpress_decompress;
