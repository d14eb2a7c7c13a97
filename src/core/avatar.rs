//! A person's picture: whatever image was sent, made anew as a small square one.
//!
//! What is shown is never what was sent. A picture that was decoded and encoded again has no place
//! for where it was taken, nor for anything else that is no pixel.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::imageops::FilterType;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use sha2::{Digest, Sha256};

/// Width and height in pixels: twice the largest that a page shows.
pub const SIDE: u32 = 192;
/// The most pixels that are taken in, for each side.
const SIDE_TAKEN: u32 = 2_048;
/// Bytes that decoding may take.
const MEMORY: u64 = 64 << 20;
/// Of 100. At this size the next better ones look the same.
const JPEG_QUALITY: u8 = 85;

/// A picture as it is kept and shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Avatar {
    /// Follows from the bytes, so an address with it in it never changes what it shows.
    pub version: String,
    /// The media type.
    pub kind: String,
    pub bytes: Vec<u8>,
}

/// What is sent is no image of the type that it is said to be, or too large a one.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NoPicture(String);

impl From<image::ImageError> for NoPicture {
    fn from(error: image::ImageError) -> NoPicture {
        NoPicture(match error {
            image::ImageError::Limits(_) => {
                format!("a picture is at most {SIDE_TAKEN} pixels wide and high")
            }
            _ => "this is no image that can be read".to_owned(),
        })
    }
}

/// The formats that are taken, by their media types.
pub fn format_of(media_type: &str) -> Option<ImageFormat> {
    match media_type {
        "image/png" => Some(ImageFormat::Png),
        "image/jpeg" => Some(ImageFormat::Jpeg),
        "image/webp" => Some(ImageFormat::WebP),
        _ => None,
    }
}

/// The middle of an image, upright, as a square of `SIDE` pixels. Takes a part of a second of a core.
pub fn make(format: ImageFormat, bytes: &[u8]) -> Result<Avatar, NoPicture> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::default();
    limits.max_image_width = Some(SIDE_TAKEN);
    limits.max_image_height = Some(SIDE_TAKEN);
    limits.max_alloc = Some(MEMORY);
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder()?;
    limits.reserve(decoder.total_bytes())?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder)?;
    // At this size already, so that turning it costs nothing.
    image = middle(&image).resize_exact(SIDE, SIDE, FilterType::CatmullRom);
    image.apply_orientation(orientation);
    let (kind, bytes) = encode(&image)?;
    let version = Sha256::digest(&bytes).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    Ok(Avatar { version, kind: kind.to_owned(), bytes })
}

/// The middle of an image as a square. It is cut out before anything is enlarged: all of a strip
/// one pixel wide would take hundreds of megabytes.
fn middle(image: &DynamicImage) -> DynamicImage {
    let (width, height) = (image.width(), image.height());
    let side = width.min(height);
    image.crop_imm((width - side) / 2, (height - side) / 2, side, side)
}

/// What can be seen through stays so; JPEG is the smaller one for everything else.
fn encode(image: &DynamicImage) -> Result<(&'static str, Vec<u8>), NoPicture> {
    let mut bytes = Vec::new();
    let pixels = image.to_rgba8();
    if pixels.pixels().any(|pixel| pixel[3] < u8::MAX) {
        pixels.write_with_encoder(PngEncoder::new(&mut bytes))?;
        return Ok(("image/png", bytes));
    }
    let encoder = JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY);
    image.to_rgb8().write_with_encoder(encoder)?;
    Ok(("image/jpeg", bytes))
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage, Rgba, RgbaImage};

    use super::*;

    fn bytes_of(image: DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    fn plain(width: u32, height: u32) -> DynamicImage {
        RgbImage::from_pixel(width, height, Rgb([200, 40, 40])).into()
    }

    #[test]
    fn every_format_becomes_a_small_square() {
        for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP] {
            let made = make(format, &bytes_of(plain(300, 90), format)).unwrap();
            assert_eq!(made.kind, "image/jpeg");
            let shown = image::load_from_memory_with_format(&made.bytes, ImageFormat::Jpeg);
            let shown = shown.unwrap().to_rgb8();
            assert_eq!(shown.dimensions(), (SIDE, SIDE));
            assert!(shown.get_pixel(96, 96)[0] > 180, "{:?}", shown.get_pixel(96, 96));
        }
    }

    #[test]
    fn only_the_middle_is_shown_and_enlarged() {
        for (width, height) in [(2_048, 1), (1, 2_048), (1, 1)] {
            let square = middle(&plain(width, height));
            assert_eq!((square.width(), square.height()), (1, 1));
            make(ImageFormat::Png, &bytes_of(plain(width, height), ImageFormat::Png)).unwrap();
        }
        let mut wide = RgbImage::from_pixel(300, 100, Rgb([200, 40, 40]));
        for (x, y) in (100..200).flat_map(|x| (0..100).map(move |y| (x, y))) {
            wide.put_pixel(x, y, Rgb([40, 200, 40]));
        }
        let square = middle(&wide.into()).to_rgb8();
        assert_eq!(square.dimensions(), (100, 100));
        assert!(square.pixels().all(|pixel| *pixel == Rgb([40, 200, 40])));
    }

    #[test]
    fn what_can_be_seen_through_stays_so() {
        let image = RgbaImage::from_pixel(64, 64, Rgba([0, 0, 255, 0]));
        let made = make(ImageFormat::Png, &bytes_of(image.into(), ImageFormat::Png)).unwrap();
        assert_eq!(made.kind, "image/png");
    }

    #[test]
    fn nothing_but_the_pixels_is_kept() {
        // A comment and an Exif block with the orientation "turned right", behind the first marker.
        let mut sent = bytes_of(plain(40, 40), ImageFormat::Jpeg);
        let exif = b"\xff\xe1\x00\x22Exif\x00\x00MM\x00\x2a\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00";
        let comment = b"\xff\xfe\x00\x10taken at home.";
        sent.splice(2..2, exif.iter().chain(comment).copied());
        sent.extend_from_slice(b"<script>alert(1)</script>");
        let made = make(ImageFormat::Jpeg, &sent).unwrap();
        for hidden in [&b"taken"[..], b"Exif", b"<script"] {
            assert!(!made.bytes.windows(hidden.len()).any(|part| part == hidden));
        }
        let same = make(ImageFormat::Png, &bytes_of(plain(40, 40), ImageFormat::Png)).unwrap();
        let again = make(ImageFormat::Png, &bytes_of(plain(40, 40), ImageFormat::Png)).unwrap();
        assert_eq!(same, again, "the version follows from the pixels");
    }

    #[test]
    fn what_is_no_image_or_too_large_is_refused() {
        let png = bytes_of(plain(40, 40), ImageFormat::Png);
        for wrong in [&b""[..], b"GIF89a", &png[..png.len() / 2], b"<svg/>"] {
            assert!(make(ImageFormat::Png, wrong).is_err());
        }
        assert!(make(ImageFormat::Jpeg, &png).is_err(), "of another type than it says");
        // Small as a file, and 8,000 pixels high.
        let bomb = bytes_of(plain(8, 8_000), ImageFormat::Png);
        let refused = make(ImageFormat::Png, &bomb).unwrap_err().to_string();
        assert!(refused.contains("2048 pixels"), "{refused}");
    }
}
