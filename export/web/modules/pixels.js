/** Pictures of every kind that a page has -> RGBA values, transparency over black. */

import { PoseError } from "./errors.js";

// What a phone's canvas can hold; larger pictures are shrunk to it.
export const MAX_PIXELS = 16_000_000;
let canvas = null;

/**
 * Decodes a picture file; EXIF rotation is applied, a colour profile is not, as in the package.
 *
 * @param blob File or Blob.
 */
export async function decoded(blob) {
  try {
    return await createImageBitmap(blob, { colorSpaceConversion: "none" });
  } catch {
    const name = blob.name ? `“${blob.name}”` : "This file";
    throw new PoseError(
      `${name} can't be read as a picture: it is damaged, or of a kind this browser does not ` +
        "know. JPEG, PNG, WebP and GIF work everywhere; choose another picture.",
    );
  }
}

/**
 * The values of a picture.
 *
 * @param source Blob, ImageData, ImageBitmap, or an img, video or canvas element.
 * @returns {picture, shrink}: {width, height, data}, and its sides over the source's, at most 1.
 */
export async function pixelsOf(source) {
  if (source instanceof ImageData) return { picture: source, shrink: 1 };
  const drawable = source instanceof Blob ? await decoded(source) : source;
  const [width, height] = sidesOf(drawable);
  if (!(width > 0 && height > 0)) {
    throw new PoseError("The picture has no pixels yet: wait until it is loaded.");
  }
  const shrink = Math.min(1, Math.sqrt(MAX_PIXELS / (width * height)));
  const [columns, rows] = [width, height].map((side) => Math.max(1, Math.floor(side * shrink)));
  return { picture: drawn(drawable, columns, rows).getImageData(0, 0, columns, rows), shrink };
}

function drawn(drawable, columns, rows) {
  canvas ??= new OffscreenCanvas(columns, rows);
  if (canvas.width !== columns || canvas.height !== rows) {
    [canvas.width, canvas.height] = [columns, rows];
  }
  // Without alpha what is transparent lies over black, as training sees what is beside a picture.
  const context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.clearRect(0, 0, columns, rows);
  context.drawImage(drawable, 0, 0, columns, rows);
  return context;
}

/** Width and height of anything drawable, pixels. */
export function sidesOf(drawable) {
  return [
    drawable.videoWidth ?? drawable.naturalWidth ?? drawable.width,
    drawable.videoHeight ?? drawable.naturalHeight ?? drawable.height,
  ];
}
